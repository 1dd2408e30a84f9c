#!/usr/bin/env python3
"""Tests of the adjustment for the speed of memory."""
import random
import unittest

import yardstick
from fixtures import failed, record


def trial(tuner, read_ns, cpu, repetition=1):
    found = record(tuner=tuner, repetition=repetition, cpu=cpu)
    found["load"]["memoryReadNs"] = read_ns
    return found


def trials(seed=1):
    """Programs that follow memory's speed by the power of 2; `half` costs half as much, and met slower memory."""
    source = random.Random(seed)
    found = []
    for repetition in range(1, 21):
        for tuner, cost, slowest in (("default", 1.0, 1.2), ("half", 0.5, 1.6)):
            speed = source.uniform(1, slowest)
            found.append(trial(tuner, 100 * speed, cost * speed ** 2, repetition))
    return found


class Adjustment(unittest.TestCase):
    def test_finds_how_the_programs_follow_memory(self):
        self.assertAlmostEqual(yardstick.slope(trials()), 2.0)

    def test_leaves_only_what_the_tuners_make(self):
        cost = {"default": set(), "half": set()}
        for one in yardstick.adjusted(trials()):
            cost[one["tuner"]].add(round(one["adjustedCpuMs"], 6))
        self.assertEqual([len(values) for values in cost.values()], [1, 1])
        self.assertAlmostEqual(cost["half"].pop() / cost["default"].pop(), 0.5, places=5)

    def test_takes_no_difference_between_tuners_for_memory(self):
        found = [trial(tuner, read, cpu, r) for r in range(1, 21) for tuner, read, cpu in (("default", 100, 1.0), ("slow", 200, 3.0))]
        self.assertEqual(yardstick.slope(found), 0)

    def test_changes_nothing_where_too_little_is_known(self):
        few = [trial("default", 100 * (1 + r / 10), 1 + r / 10, r) for r in (1, 2, 3)]
        for records in (few, [record(cpu=0.7)], [failed()]):
            for before, after in zip(records, yardstick.adjusted(records)):
                self.assertEqual(after.get("adjustedCpuMs"), before.get("cpuPerRequestMs"))


if __name__ == "__main__":
    unittest.main()
