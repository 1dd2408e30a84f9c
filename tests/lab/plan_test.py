#!/usr/bin/env python3
"""Tests of which trials are run, and in which order."""
import unittest

import plan
import tuners
from fixtures import MIB, failed, record
from programs import CHANGING

PROGRAMS = ["checkout", "coredns"]


def steps(repetition, names=("default", "gctuner", "oracle"), seed=1, best=lambda *_: "grid-400"):
    return plan.round_of(PROGRAMS, ["steady"], names, repetition, best, seed)


class Round(unittest.TestCase):
    def test_has_each_program_with_each_tuner_once(self):
        found = steps(1)
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(len(found), 2 * (2 + len(tuners.GRID)))

    def test_is_shuffled_by_the_seed_and_the_repetition(self):
        self.assertEqual(steps(3), steps(3))
        self.assertNotEqual(steps(2), steps(2, seed=2))
        self.assertNotEqual([s.tuner for s in steps(3)], [s.tuner for s in steps(4)])

    def test_begins_with_the_default_where_the_grid_needs_it(self):
        self.assertEqual([s.tuner for s in steps(1)][:2], ["default", "default"])

    def test_keeps_only_the_best_point_of_the_grid_later(self):
        found = {s.tuner for s in steps(plan.SHORT_REPETITIONS + 1)}
        self.assertEqual(found, {"default", "gctuner", "grid-400"})

    def test_leaves_the_oracle_out_where_no_point_kept_to_the_rule(self):
        self.assertEqual({s.tuner for s in steps(5, best=lambda *_: None)}, {"default", "gctuner"})

    def test_changes_the_load_only_of_programs_that_have_one(self):
        found = plan.chosen_scenarios(PROGRAMS, ["steady", "changing"])
        self.assertEqual(found, [("steady", "checkout"), ("steady", "coredns")] + [("changing", p) for p in PROGRAMS if p in CHANGING])


class Oracle(unittest.TestCase):
    def test_takes_the_least_cpu_of_the_first_repetitions(self):
        records = [record(tuner="grid-200", repetition=r, cpu=0.9) for r in (1, 2)]
        records += [record(tuner="grid-400", repetition=r, cpu=0.8) for r in (1, 2)]
        records += [record(tuner="grid-200", repetition=3, cpu=0.1)]
        self.assertEqual(plan.best_of_grid(records, "steady", "checkout"), "grid-400")
        self.assertIsNone(plan.best_of_grid(records, "changing", "checkout"))

    def test_leaves_out_what_broke_the_memory_rule_once(self):
        good = [record(tuner="grid-200", repetition=r, cpu=0.9) for r in (1, 2)]
        for bad in (record(tuner="grid-400", repetition=2, cpu=0.8, peak=500), failed(tuner="grid-400", repetition=2, kills=1)):
            records = [*good, record(tuner="grid-400", repetition=1, cpu=0.8), bad]
            self.assertEqual(plan.best_of_grid(records, "steady", "checkout"), "grid-200")

    def test_gets_the_memory_outside_go_from_the_first_default(self):
        records = [failed(), record(repetition=2), record(repetition=3, runtime={"nonGoBytes": 50 * MIB})]
        self.assertEqual(plan.non_go(records, "checkout"), 5 * MIB)
        self.assertEqual(plan.non_go([], "checkout"), 32 * MIB)


class Advice(unittest.TestCase):
    def step(self, repetition, scenario="steady"):
        return plan.Step("checkout", scenario, "gopacer", repetition)

    def test_is_taken_anew_in_the_first_repetitions(self):
        records = [record(tuner="gopacer", repetition=1)]
        self.assertIsNone(plan.advised_before(records, self.step(2)))

    def test_is_taken_over_later_and_under_a_changing_load(self):
        records = [record(tuner="gopacer", repetition=r) for r in (1, 2)]
        for step, source in ((self.step(3), 1), (self.step(4), 2), (self.step(1, "changing"), 1), (self.step(2, "changing"), 2)):
            self.assertEqual(plan.advised_before(records, step)["repetition"], source)

    def test_is_for_no_other_tuner(self):
        self.assertIsNone(plan.advised_before([record(tuner="gopacer")], plan.Step("checkout", "steady", "default", 3)))

    def test_is_taken_anew_where_there_is_none_to_take_over(self):
        self.assertIsNone(plan.advised_before([failed(tuner="gopacer")], self.step(3)))

    def test_gives_the_settings_of_the_other_objective_too(self):
        step = plan.Step("checkout", "steady", "gopacer-throughput", 1)
        self.assertIsNone(plan.advised_before([record(tuner="gopacer")], step))
        records = [record(tuner="gopacer", throughput={"settings": {"GOGC": "400"}, "rollouts": 1})]
        self.assertEqual(plan.advised_before(records, step), {"settings": {"GOGC": "400"}, "rollouts": 1, "repetition": 1})

    def test_comes_before_the_trials_that_take_it_over(self):
        found = plan.round_of(PROGRAMS, ["steady", "changing"], ("default", "gopacer"), 1, lambda *_: None, 1)
        self.assertEqual((found[-1].scenario, found[-1].tuner), ("changing", "gopacer"))
        found = plan.round_of(PROGRAMS, ["steady"], ("gopacer-throughput", "gopacer", "gctuner"), 2, lambda *_: None, 1)
        self.assertEqual({s.tuner for s in found[-len(PROGRAMS):]}, {"gopacer-throughput"})


class SafeLimit(unittest.TestCase):
    def test_is_the_formula(self):
        self.assertEqual(tuners.safe_limit(512 * MIB, 5 * MIB), 466 * MIB)  # 0.92·512 − 5, below 0.95·512 − 15.4
        self.assertEqual(tuners.safe_limit(512 * MIB, 100 * MIB), 371 * MIB)  # 0.92·512 − 100, below 512 − 110 − 20
        self.assertEqual(tuners.safe_limit(4096 * MIB, 0), 3768 * MIB)  # 0.95·4096 − 0.03·4096

    def test_is_written_as_go_reads_it(self):
        self.assertEqual(tuners.grid_environment("grid-400", 512 * MIB, 0), {"GOGC": "400", "GOMEMLIMIT": "471MiB"})


class Time(unittest.TestCase):
    def test_grows_with_what_is_asked(self):
        def total(names, repetitions=5):
            return plan.total_seconds(PROGRAMS, ["steady"], names, repetitions, 3, {"steady": 7}, 20)
        self.assertAlmostEqual(total(["default"]), 5 * 2 * 10.6)
        self.assertGreater(total(["gopacer"]), total(["default"]))
        self.assertLess(total(["oracle"]), 5 * len(tuners.GRID) * 2 * 11)


if __name__ == "__main__":
    unittest.main()
