#!/usr/bin/env python3
"""Tests of what the report says of the goals: it must be able to say that they were missed."""
import unittest

import goals
import stats
from fixtures import failed, record


def results(**tuners):
    """Three equal trials of each tuner; a value is what differs from the fixture's."""
    return stats.Results([record(tuner=name.replace("_", "-"), repetition=r, **more) for name, more in tuners.items()
                          for r in (1, 2, 3)], "steady")


GOPACER = {"cpu": 0.8, "mean": 150, "rollouts": 1, "converged": True, "advice": []}


def row(rows, words):
    found = [g for g in rows if words in g.figure]
    assert len(found) == 1, (words, [g.figure for g in rows])
    return found[0]


class Goals(unittest.TestCase):
    def all(self, **tuners):
        return goals.all_goals(results(**tuners), stats.Results([], "changing"))

    def test_are_met_by_good_figures(self):
        rows = self.all(default={}, gopacer={**GOPACER, "p99": 3.0}, grid_400={"cpu": 0.795}, gctuner={"cpu": 0.8, "mean": 200},
                        automemlimit={"peak": 120, "cpu": 0.92}, automemlimit_off={"cpu": 0.79, "mean": 300})
        for words in ("load, objective Balanced", "CPU per request against GOGC=off", "mean memory against GOGC=off",
                      "CPU per request against gctuner", "mean memory against gctuner", "against automemlimit", "rollouts", "p99"):
            self.assertTrue(row(rows, words).met, row(rows, words))

    def test_are_missed_by_bad_ones(self):
        rows = self.all(default={}, gopacer={**GOPACER, "cpu": 0.95, "rollouts": 3}, grid_400={"cpu": 0.8},
                        gctuner={"cpu": 0.8, "mean": 100}, automemlimit={"peak": 120}, automemlimit_off={"cpu": 0.79, "mean": 160})
        for words in ("load, objective Balanced", "CPU per request against GOGC=off", "mean memory against GOGC=off",
                      "CPU per request against gctuner", "mean memory against gctuner", "against automemlimit", "rollouts", "p99"):
            self.assertIs(row(rows, words).met, False, row(rows, words))

    def test_say_when_they_could_not_be_measured(self):
        for goal in self.all(default={}):
            self.assertIsNone(goal.met, goal)
            self.assertEqual(goal.found, "not measured")

    def test_leave_automemlimit_out_where_its_limit_binds(self):
        rows = self.all(gopacer=GOPACER, automemlimit={"peak": 480})
        self.assertIn("memory to spare", row(rows, "against automemlimit").note)

    def test_compare_with_automemlimit_only_at_the_gc_share_that_the_goal_names(self):
        rows = self.all(gopacer=GOPACER, automemlimit={"peak": 120, "share": 0.05})
        self.assertIsNone(row(rows, "against automemlimit").met)
        self.assertIn("-20.0 %", row(rows, "against automemlimit").found)

    def test_count_kills_and_failures(self):
        records = [record(tuner="gopacer", **{**GOPACER, "repetition": 1}), failed(tuner="gopacer", repetition=2, kills=1)]
        goal = goals.safety(records)
        self.assertEqual((goal.found, goal.met), ("1 and 1 of 2", False))

    def test_judge_predictions_by_their_median_and_their_tail(self):
        def judged(errors):
            trials = [record(tuner="gopacer", repetition=n, share=0.1, peak=100, **{**GOPACER, "predicted": {
                "gcCpuFraction": {"value": 0.1 * (1 + e), "low": 0, "high": 1},
                "peakMemoryBytes": {"value": 100 * 2**20 * (1 + e), "low": 0, "high": 1e9}}})
                for n, e in enumerate(errors, 1)]
            rows = goals.predictions(stats.Results(trials, "steady"))
            return row(rows, "GC's CPU share").met, row(rows, "peak memory").met
        self.assertEqual(judged([0.01, -0.02, 0.05]), (True, True))
        self.assertEqual(judged([0.01, -0.02, 0.9]), (False, True))
        self.assertEqual(judged([0.2, -0.2, 0.2]), (False, False))


if __name__ == "__main__":
    unittest.main()
