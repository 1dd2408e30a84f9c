#!/usr/bin/env python3
import math
import unittest

import blocks
import blocks_report
import tuners
from fixtures import MIB, record
from programs import PROGRAMS


def block(arm, number, cpu, mean=100, cycles=9, also=(), **more):
    one = record(cpu=cpu, mean=mean, peak=mean, **more)
    one.update(arm=arm, round=number, alsoOf=list(also))
    one["trace"]["cycles"] = cycles
    one["adjustedCpuMs"] = one["cpuPerRequestMs"]
    return one


class Arms(unittest.TestCase):
    def test_what_is_the_same_is_measured_once(self):
        arms, stands_for = blocks.distinct([blocks.Arm("default", ({},)), blocks.Arm("gopacer", ({"GOGC": "400", "GOMEMLIMIT": "1GiB"},)),
                                            blocks.Arm("grid-400", ({"GOGC": "400", "GOMEMLIMIT": "1024MiB"},)), blocks.Arm("held", ({"GOGC": "100"},))])
        self.assertEqual([arm.name for arm in arms], ["default", "gopacer"])
        self.assertEqual(stands_for, {"default": "default", "gopacer": "gopacer", "grid-400": "gopacer", "held": "default"})

    def test_every_point_of_the_grid_has_the_safe_limit(self):
        arms = {arm.name: arm for arm in blocks.arms_of(PROGRAMS["checkout"], 0, [{"gopacer": {"GOGC": "300"}}])}
        self.assertEqual(arms["grid-200"].options(0), ["--gogc", "200", "--mem-limit", tuners.size(tuners.safe_limit(512 * MIB, 0))])
        self.assertEqual(arms["default"].options(0), ["--gogc", "100", "--mem-limit", "off"])

    def test_with_several_rates_one_arm_keeps_to_the_first_advice_and_one_follows(self):
        asked = [{"gopacer": {"GOGC": "200"}}, {"gopacer": {"GOGC": "400"}}]
        arms = {arm.name: arm for arm in blocks.arms_of(PROGRAMS["checkout"], 0, asked)}
        self.assertEqual([arms["gopacer"].options(level)[1] for level in (0, 1)], ["200", "200"])
        self.assertEqual([arms["gopacer-live"].options(level)[1] for level in (0, 1)], ["200", "400"])
        self.assertEqual(arms["gopacer-live"].in_words(), {"GOGC": "200 → 400"})
        self.assertEqual(blocks.distinct(list(arms.values()))[1]["gopacer-live"], "gopacer-live")

    def test_a_round_is_all_of_its_rates(self):
        low, high = block("gopacer", 1, 1, mean=100), block("gopacer", 1, 2, mean=300)
        for one, seconds, rate in ((low, 6, 600), (high, 2, 1800)):
            one.update(seconds=seconds, rates=[rate])
            one["load"].update(answered=3600, requests=3600, memoryReadNs=100 * seconds)
            one["cpuSeconds"] = 3.6 * one["cpuPerRequestMs"]
        both = blocks.merged([low, high])
        self.assertAlmostEqual(both["cpuPerRequestMs"], 1.5)
        self.assertEqual(both["memory"], {"meanBytes": 150 * MIB, "peakBytes": 300 * MIB})
        self.assertEqual(both["load"]["memoryReadNs"], 500)
        self.assertEqual((both["trace"]["cycles"], both["rates"], both["seconds"]), (18, [600, 1800], 8))

    def test_a_block_is_whole_collections(self):
        self.assertEqual(blocks.length_of(0.5, 6), 6)
        self.assertEqual(blocks.length_of(4, 6), 8)
        self.assertEqual(blocks.length_of(25, 6), 25)
        self.assertEqual(blocks.length_of(100, 6), blocks.LONGEST)


class Figures(unittest.TestCase):
    def test_a_ratio_is_of_rounds_so_that_a_slow_machine_does_not_matter(self):
        records = [block(arm, n, cpu * speed) for n, speed in enumerate((1, 1.5, 3), 1) for arm, cpu in (("default", 1), ("gopacer", 0.9))]
        middle, low, high = blocks_report.ratio(records, "checkout", "gopacer", blocks.cpu)
        for found in (middle, low, high):
            self.assertAlmostEqual(found, 0.9)

    def test_an_interval_is_students(self):
        records = [block("default", n, 1) for n in (1, 2)] + [block("gopacer", 1, math.exp(0.1)), block("gopacer", 2, math.exp(-0.1))]
        middle, low, high = blocks_report.ratio(records, "checkout", "gopacer", blocks.cpu)
        self.assertAlmostEqual(middle, 1)
        self.assertAlmostEqual(math.log(high), 12.71 * 0.1)
        self.assertAlmostEqual(math.log(low), -12.71 * 0.1)

    def test_memory_has_its_price(self):
        cost = blocks.priced(0.1, blocks.cpu)
        # 600 requests a second: 1 ms of CPU, and 0.1 cores for the GiB.
        self.assertAlmostEqual(cost(block("default", 1, 1, mean=1024)), 0.001 + 0.1 / 600)

    def test_the_oracle_keeps_to_the_memory_rule_and_pays_for_memory(self):
        records = []
        for n in (1, 2):
            records += [block("default", n, 1.0), block("grid-200", n, 0.8, mean=150), block("grid-400", n, 0.79, mean=400),
                        block("grid-800", n, 0.5, mean=500)]
        self.assertEqual(blocks_report.oracle(records, "checkout", blocks.cpu), "grid-400")
        self.assertEqual(blocks_report.oracle(records, "checkout", blocks.priced(0.083, blocks.cpu)), "grid-200")

    def test_the_share_of_the_oracles_saving(self):
        records = []
        for n in (1, 2, 3):
            records += [block("default", n, 1.0), block("grid-400", n, 0.8), block("gopacer", n, 0.85, also=["gopacer-throughput"])]
        for arm in ("gopacer", "gopacer-throughput"):
            share = blocks_report.share_of_oracle(records, ["checkout"], arm, lambda _: blocks.cpu)
            self.assertAlmostEqual(share[0], 0.75)
        self.assertIsNone(blocks_report.share_of_oracle(records[:1], ["checkout"], "gopacer", lambda _: blocks.cpu))

    def test_a_changing_load_has_goals_of_its_own(self):
        records = []
        for n in (1, 2):
            for program in ("checkout", "checkout-changing"):
                for arm, cpu in (("default", 1.0), ("grid-400", 0.8), ("gopacer", 0.9), ("gopacer-live", 0.8)):
                    records.append({**block(arm, n, cpu), "program": program})
        text = blocks_report.document(records, "./dev lab --blocks")
        self.assertIn("| gopacer under a changing load: share of the oracle's saving", text)
        self.assertIn("| gopacer-live under a changing load", text)
        self.assertNotIn("| gopacer-live: share", text)
        self.assertRegex(text, r"gopacer-throughput: share of the oracle's saving, objective Throughput, by CPU per request \| – \| checkout –")

    def test_the_runtimes_account_is_not_believed_where_a_program_shares_its_cpus(self):
        one = block("default", 1, 1.0)
        one["trace"]["cpuSeconds"] *= 2  # waiting for a CPU
        self.assertAlmostEqual(blocks.share(one), 0.4)
        one["runtime"]["gomaxprocs"] = 2
        self.assertAlmostEqual(blocks.share(one), 0.2)
        self.assertIn("checkout 2.00 |", blocks_report.accounts([one], ["checkout"])[0])

    def test_the_report_says_which_arms_collected_too_little(self):
        records = [block(arm, n, cpu, cycles=40 if arm == "default" else 9) for n in (1, 2) for arm, cpu in (("default", 1), ("gopacer", 0.9))]
        text = blocks_report.document(records, "./dev lab --blocks")
        self.assertIn("Arms with fewer than 60 collections: checkout gopacer 18.", text)
        self.assertIn("| gopacer | Go's own | 2 | 18 | -10.0 %", text)


if __name__ == "__main__":
    unittest.main()
