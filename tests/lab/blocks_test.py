#!/usr/bin/env python3
"""Tests of what is measured by blocks, and of what the report says of it."""
import contextlib
import io
import json
import math
import pathlib
import tempfile
import unittest
from unittest import mock

import blocks
import blocks_report
import main
import tuners
from fixtures import MIB, record
from programs import BLOCK_PROGRAMS, CHANGING, PROGRAMS


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

    def test_a_block_is_whole_collections(self):
        self.assertEqual(blocks.length_of(0.5, 6), 6)
        self.assertEqual(blocks.length_of(4, 6), 8)
        self.assertEqual(blocks.length_of(25, 6), 25)
        self.assertEqual(blocks.length_of(100, 6), blocks.LONGEST)


def at_rate(rate, seconds, cpu, mean, share=0.2):
    """A block of `seconds` at a rate."""
    one = block("gopacer", 1, cpu, mean=mean, share=share)
    answered = rate * seconds
    one.update(seconds=seconds, rates=[rate], cpuSeconds=answered * cpu / 1000)
    one["load"].update(answered=answered, requests=answered, memoryReadNs=float(rate))
    one["profile"]["gcSeconds"] = one["trace"]["cpuSeconds"] = share * one["cpuSeconds"]
    return one


class Changing(unittest.TestCase):
    def test_a_round_is_all_of_its_rates(self):
        both = blocks.merged([at_rate(600, 6, cpu=1.4, mean=100), at_rate(1800, 6, cpu=1.0, mean=300)])
        self.assertAlmostEqual(both["cpuPerRequestMs"], 1.1)
        self.assertEqual(both["memory"], {"meanBytes": 200 * MIB, "peakBytes": 300 * MIB})
        self.assertEqual(both["load"]["memoryReadNs"], 1200)
        self.assertEqual((both["trace"]["cycles"], both["rates"], both["seconds"]), (18, [600, 1800], 12))
        self.assertEqual(both["load"]["answered"], 6 * 2400)
        self.assertEqual([part["meanBytes"] for part in both["parts"]], [100 * MIB, 300 * MIB])

    def test_what_a_round_says_does_not_depend_on_how_long_a_block_was(self):
        even = blocks.merged([at_rate(600, 6, 1.4, 100, share=0.1), at_rate(1800, 6, 1.0, 300, share=0.3)])
        uneven = blocks.merged([at_rate(600, 10, 1.4, 100, share=0.1), at_rate(1800, 4, 1.0, 300, share=0.3)])
        price = blocks.priced(0.083, lambda r: r["cpuPerRequestMs"])
        for figure in (lambda r: r["cpuPerRequestMs"], lambda r: r["memory"]["meanBytes"], blocks.share, price):
            self.assertAlmostEqual(figure(even), figure(uneven), places=5)

    def test_half_a_profile_is_none(self):
        parts = [at_rate(600, 6, 1, 100), at_rate(1800, 6, 1, 100)]
        parts[1]["profile"] = {"error": "timed out"}
        self.assertNotIn("gcSeconds", blocks.merged(parts)["profile"])


MEASURED = ("seconds", "load", "cpuSeconds", "cpuPerRequestMs", "foreignCpuSeconds", "stolenCpuSeconds", "memory", "profile", "trace", "runtime")


class Run(unittest.TestCase):
    """Runs whose program and load are not there: what they are told is noted."""

    def run_of(self, name, rounds):
        told = []
        load = mock.Mock()
        load.tell.side_effect = told.append
        server = mock.Mock(directory="/nowhere")
        server.group.memory.return_value = 10 * MIB
        server.stats.return_value = {"mappedBytes": 0, "releasedBytes": 0}
        bench = mock.Mock(tools={"gopacer": "gopacer"})
        bench.start.return_value = (server, load, contextlib.ExitStack().pop_all())

        def ask(_, program, server, level):
            return {arm: {"recommended": {"gogc": str(200 + 100 * level)}} for arm in tuners.ADVISED}

        def measure(server, load, rates, seconds, tools):
            told.append(f"measure at {rates[0]}")
            found = at_rate(rates[0], seconds, cpu=1, mean=100)
            return {name: found[name] for name in MEASURED}

        def tune(_, server, options):
            told.append(f"tune {options[1]}")
            return {}

        with mock.patch.multiple(blocks, ask=ask, tune=tune, settle=lambda server: 1.0), mock.patch.object(blocks.trial, "measure", measure), \
                mock.patch.object(blocks.time, "sleep"):
            return list(blocks.run(bench, name, rounds, 6, 0, 1)), told

    def test_each_round_has_each_arm_once(self):
        records, _ = self.run_of("checkout", 2)
        names = [r["arm"] for r in records if r["round"] == 1]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({r["arm"] for r in records if r["round"] == 2}, set(names))
        self.assertFalse(blocks.is_cut(records))
        self.assertEqual([list(r["advice"]) for r in records if "advice" in r], [list(tuners.ADVISED)])

    def test_a_load_changes_only_as_often_as_it_has_rates(self):
        records, told = self.run_of("checkout-changing", 3)
        rates = [line for line in told if line.startswith("rate")]
        # Twice for the advice.
        self.assertEqual(len(rates), 2 + 3 * 2)
        self.assertEqual(rates[:2], ["rate 600", "rate 1800"])
        for record in records:
            self.assertEqual(sorted(record["rates"]), [600, 1800])
        rate = None
        for line in told:
            if line.startswith("rate"):
                rate = line.removeprefix("rate ")
            elif line.startswith("measure"):
                self.assertEqual(line, f"measure at {rate}")

    def test_only_an_arm_that_is_live_has_what_was_advised_at_the_high_rate(self):
        records, told = self.run_of("checkout-changing", 2)
        live = next(r for r in records if r["arm"] == "gopacer-live")
        self.assertEqual(live["alsoOf"], ["gopacer-throughput-live"])
        self.assertEqual(live["settings"], {"GOGC": "200 → 300"})
        tuned_at = {"600": set(), "1800": set()}
        for before, line in zip(told, told[1:]):
            if line.startswith("measure"):
                tuned_at[line.rpartition(" ")[2]].add(before)
        self.assertIn("tune 300", tuned_at["1800"])
        self.assertNotIn("tune 300", tuned_at["600"])
        self.assertIn("tune 200", tuned_at["1800"])
        self.assertEqual([len(r["adviceByRate"]) for r in records if "adviceByRate" in r], [2])


class Resume(unittest.TestCase):
    def whole(self, program, until, **more):
        return [{**block(arm, n, cpu), "program": program, **more} for n in range(1, until + 1) for arm, cpu in (("default", 1.0), ("grid-400", 0.8))]

    def resumed(self, there, *arguments):
        """The programs that were measured, the data then and the report."""
        measured = []

        def run(bench, name, rounds, wanted, age, seed):
            measured.append(name)
            yield from self.whole(name, rounds, rounds=rounds)

        with tempfile.TemporaryDirectory() as directory, mock.patch.object(blocks, "run", run), \
                mock.patch.object(main.os, "sched_setaffinity"), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            data = pathlib.Path(directory, "data", "blocks.jsonl")
            data.parent.mkdir()
            data.write_text("".join(json.dumps(one) + "\n" for one in there))
            main.main(["--binaries", directory, "--gopacer", "gopacer", "--out", directory, "--blocks", *arguments])
            return measured, [json.loads(line) for line in data.read_text().splitlines()], pathlib.Path(directory, "blocks.md").read_text()

    def test_adds_a_program_and_reports_all(self):
        # Of before the records told how many rounds there were to be, and other than are asked for now.
        there = self.whole("checkout", 3) + self.whole("etcd", 3)
        measured, records, text = self.resumed(there, "--resume", "--programs", "checkout-changing,checkout-go1.24", "--rounds", "4")
        self.assertEqual(measured, ["checkout-changing", "checkout-go1.24"])
        self.assertEqual(records[:len(there)], there)
        for program in ("checkout", "etcd", "checkout-changing", "checkout-go1.24"):
            self.assertIn(f"## {program}\n", text)

    def test_measures_what_is_not_there_of_all_programs(self):
        there = self.whole("checkout", 3)
        measured, _, _ = self.resumed(there, "--resume")
        self.assertEqual(measured, [name for name in BLOCK_PROGRAMS if name != "checkout"])

    def test_begins_a_program_anew_that_was_cut(self):
        for cut in (self.whole("etcd", 3, rounds=3)[:-1], self.whole("etcd", 2, rounds=3), self.whole("etcd", 1)):
            there = self.whole("checkout", 3) + cut
            measured, records, _ = self.resumed(there, "--resume", "--programs", "checkout,etcd", "--rounds", "3")
            self.assertEqual(measured, ["etcd"])
            self.assertEqual(len(records), 12)

    def test_keeps_what_was_cut_and_is_not_asked_for(self):
        there = self.whole("etcd", 3)[:-1]
        measured, records, text = self.resumed(there, "--resume", "--programs", "checkout", "--rounds", "2")
        self.assertEqual((measured, records[:len(there)]), (["checkout"], there))
        self.assertIn("## etcd\n", text)

    def test_reports_old_records_without_measuring(self):
        measured, _, text = self.resumed(self.whole("checkout", 3), "--report-only")
        self.assertEqual(measured, [])
        self.assertIn("| grid-400 | Go's own | 3 | 27 | -20.0 %", text)


class Programs(unittest.TestCase):
    def test_the_changing_load_is_that_of_the_trials(self):
        self.assertEqual(BLOCK_PROGRAMS["checkout-changing"].rates, tuple(sorted(set(CHANGING["checkout"]))))
        self.assertEqual(BLOCK_PROGRAMS["checkout-changing"].executable, "checkout")

    def test_one_is_built_by_an_older_go(self):
        program = BLOCK_PROGRAMS["checkout-go1.24"]
        self.assertEqual((program.executable, program.load), ("checkout-go1.24", "checkout"))
        same = PROGRAMS["checkout"]
        self.assertEqual((program.rate, program.limit), (same.rate, same.limit))


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
        by_cpu = "share of the oracle's saving, objective Balanced, by CPU per request"
        self.assertRegex(text, rf"\| gopacer under a steady load: {by_cpu} \| ≥ 95 % \| [\d.]+ % \([^|]*\) \| \*\*no\*\* \| checkout [^;]*\|\n")
        self.assertRegex(text, rf"\| gopacer under a changing load: {by_cpu} \| ≥ 90 % \| [^|]* \| \*\*no\*\* \| checkout-changing")
        self.assertRegex(text, rf"\| gopacer-live under a changing load: {by_cpu} \| ≥ 90 % \| 100.0 % [^|]* \| yes \|")
        self.assertNotIn("| gopacer-live under a steady load", text)
        self.assertRegex(text, r"gopacer-throughput under a steady load: share of the oracle's saving, objective Throughput, by CPU per request \| ≥ 95 % \| – \| – \| checkout –")

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
