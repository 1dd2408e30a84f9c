#!/usr/bin/env python3
"""Tests of the report's statistics."""
import random
import statistics
import unittest

import stats
from fixtures import failed, record


def trials(tuner, values, **more):
    return [record(tuner=tuner, repetition=n, cpu=v, **more) for n, v in enumerate(values, 1)]


class Quantile(unittest.TestCase):
    def test_interpolates(self):
        self.assertEqual(stats.quantile([3, 1, 2], 0.5), 2)
        self.assertAlmostEqual(stats.quantile([0, 10], 0.95), 9.5)
        self.assertEqual(stats.quantile([7], 0.95), 7)


class Bootstrap(unittest.TestCase):
    def test_covers_the_median_about_as_often_as_it_says(self):
        source, hits, runs = random.Random(5), 0, 300
        for _ in range(runs):
            sample = [source.gauss(10, 1) for _ in range(15)]
            _, low, high = stats.bootstrap({"": sample}, lambda arms: statistics.median(arms[""]), seed=1, draws=200)
            hits += low <= 10 <= high
        self.assertGreater(hits / runs, 0.88)
        self.assertLess(hits / runs, 0.995)

    def test_is_none_without_values(self):
        self.assertIsNone(stats.bootstrap({"": []}, lambda arms: statistics.median(arms[""])))

    def test_gives_the_same_interval_each_time(self):
        def once():
            return stats.bootstrap({"": [1, 5, 2, 8]}, lambda arms: statistics.fmean(arms[""]))
        self.assertEqual(once(), once())


class Figures(unittest.TestCase):
    def test_are_ratios_of_medians(self):
        results = stats.Results(trials("default", [1.0, 1.1, 0.9]) + trials("gopacer", [0.8, 0.9, 0.7]), "steady")
        value, low, high = results.ratio("checkout", "gopacer", "default", "cpu")
        self.assertAlmostEqual(value, 0.8)
        self.assertTrue(0.6 < low < 0.8 < high < 1.01)

    def test_leave_failed_trials_out_and_still_list_them(self):
        results = stats.Results(trials("default", [1.0]) + [failed(repetition=2, kills=1)], "steady")
        self.assertEqual(results.values("checkout", "default", "cpu"), [1.0])
        self.assertEqual(len(results.trials("checkout", "default")), 2)

    def test_are_none_where_a_tuner_is_missing(self):
        results = stats.Results(trials("default", [1.0]), "steady")
        self.assertIsNone(results.ratio("checkout", "gopacer", "default", "cpu"))
        self.assertIsNone(results.mean_ratio("gopacer", "default", "cpu"))
        self.assertIsNone(results.oracle_share("gopacer"))

    def test_average_ratios_over_programs_geometrically(self):
        records = []
        for program, ratio in (("checkout", 0.5), ("coredns", 2.0)):
            records += [record(program=program, cpu=3.0), record(program=program, tuner="gopacer", cpu=3.0 * ratio)]
        self.assertAlmostEqual(stats.Results(records, "steady").mean_ratio("gopacer", "default", "cpu")[0], 1.0)


class OracleShare(unittest.TestCase):
    def results(self, gopacer, later=0.8):
        grid = [record(tuner="grid-400", repetition=r, cpu=0.7) for r in (1, 2)]
        grid += [record(tuner="grid-400", repetition=r, cpu=later) for r in (3, 4, 5)]
        return stats.Results(trials("default", [1.0] * 5) + trials("gopacer", [gopacer] * 5) + grid, "steady")

    def test_is_the_part_of_the_saving(self):
        self.assertAlmostEqual(self.results(0.85).oracle_share("gopacer")[0], 0.75)

    def test_can_be_told_by_the_share_of_collection_alone(self):
        records = [record(tuner=name, repetition=r, share=share, cpu=cpu) for r in (1, 2, 3)
                   for name, share, cpu in (("default", 0.2, 1.0), ("gopacer", 0.1, 7.0), ("grid-400", 0.0, 9.0))]
        # 1.25 → 1.111 → 1
        self.assertAlmostEqual(stats.Results(records, "steady").oracle_share("gopacer", metric="equalWork")[0], 0.139 / 0.25, places=2)

    def test_shows_a_loss(self):
        self.assertLess(self.results(1.2).oracle_share("gopacer")[0], 0)

    def test_takes_the_repetitions_after_the_choice(self):
        self.assertEqual(set(self.results(0.9).values("checkout", "oracle", "cpu")), {0.8})

    def test_says_nothing_where_the_oracle_saves_nothing(self):
        self.assertIsNone(self.results(0.9, later=1.01).oracle_share("gopacer"))


class Predictions(unittest.TestCase):
    predicted = {"gcCpuFraction": {"value": 0.06, "low": 0.04, "high": 0.08}, "peakMemoryBytes": {"value": 190 << 20, "low": 0, "high": 195 << 20}}

    def test_are_compared_with_what_was_measured(self):
        one = record(tuner="gopacer", share=0.05, peak=200, predicted=self.predicted)
        error = stats.prediction_errors([one])[0]
        self.assertAlmostEqual(error["gcCpuFraction"]["error"], 0.2)
        self.assertTrue(error["gcCpuFraction"]["within"])
        self.assertAlmostEqual(error["peakMemoryBytes"]["error"], -0.05)
        self.assertFalse(error["peakMemoryBytes"]["within"])

    def test_are_compared_with_all_trials_of_an_advice(self):
        def trial(repetition, share, cpu, **more):
            return record(tuner="gopacer", repetition=repetition, share=share, cpu=cpu, predicted=self.predicted, **more)
        errors = stats.prediction_errors([trial(1, 0.05, 3.0), trial(3, 0.09, 1.0, advisedInRepetition=1), trial(2, 0.06, 1.0)])
        self.assertEqual([(e["repetition"], e["trials"]) for e in errors], [(1, 2), (2, 1)])
        self.assertAlmostEqual(errors[0]["gcCpuFraction"]["measured"], 0.06)

    def test_skip_trials_without_one(self):
        self.assertEqual(stats.prediction_errors([record(), failed(tuner="gopacer")]), [])


if __name__ == "__main__":
    unittest.main()
