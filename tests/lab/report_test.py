#!/usr/bin/env python3
"""Tests of the report's text. Drawing needs matplotlib, which a test does not."""
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

from fixtures import MIB, failed, record

sys.modules["plots"] = mock.MagicMock()
import report  # noqa: E402


def text_of(records):
    with tempfile.TemporaryDirectory() as directory:
        report.write(records, pathlib.Path(directory))
        return (pathlib.Path(directory) / "README.md").read_text()


def gopacer(**more):
    return record(tuner="gopacer", rollouts=1, converged=True, settings={"GOGC": "300", "GOMEMLIMIT": "454MiB"}, **more)


class Report(unittest.TestCase):
    def row(self, text, start, below="### checkout"):
        rows = [line for line in text.partition(below)[2].splitlines() if line.startswith(f"| {start} ")]
        self.assertTrue(rows, f"no row {start} in\n{text}")
        return rows[0]

    def test_lists_kills_and_failures(self):
        text = text_of([record(), failed(tuner="gopacer", kills=1), record(tuner="gctuner", repetition=1)])
        self.assertIn("| checkout | steady | gopacer | 1 | OutOfMemory: killed by the kernel |", text)
        self.assertIn("| 0 of 1 |", self.row(text, "gopacer"))
        self.assertTrue(self.row(text, "gopacer").endswith("| 1 | 0 |"))

    def test_sums_up_all_programs(self):
        records = [record(program=p, tuner=name, repetition=r, share=share, mean=mean) for r in (1, 2, 3) for p in ("caddy", "checkout")
                   for name, share, mean in (("default", 0.2, 100), ("gctuner", 0.0, 150))]
        found = self.row(text_of(records), "gctuner", below="### All programs")
        self.assertIn("| -20.0 % (-20.0 % to -20.0 %) | +50.0 % (+50.0 % to +50.0 %) |", found)

    def test_says_where_gopacer_lost(self):
        records = [record(repetition=r) for r in (1, 2, 3)] + [record(tuner="s14", repetition=r, cpu=0.8, mean=110) for r in (1, 2, 3)]
        records += [gopacer(repetition=r, cpu=0.9, mean=200) for r in (1, 2, 3)]
        text = text_of(records)
        self.assertIn("- checkout: +12.5 %", text)
        self.assertIn("against s14, at +81.8 % mean memory", text)
        self.assertNotIn("against default, at", text)

    def test_shows_what_was_advised_and_what_came_of_it(self):
        document = {"decision": "Change", "reason": "Recommended", "recommended": {"gogc": "300", "goMemLimit": "454MiB"}, "inForce": {}}
        last = {**document, "decision": "Keep", "reason": "AlreadyBest", "inForce": {"GOGC": "300", "GOMEMLIMIT": "454MiB"}}
        predicted = {"gcCpuFraction": {"value": 0.05, "low": 0.04, "high": 0.06},
                     "peakMemoryBytes": {"value": 200 * MIB, "low": 190 * MIB, "high": 210 * MIB}}
        text = text_of([record(), gopacer(advice=[document, last], predicted=predicted, share=0.04, peak=180)])
        self.assertIn("| checkout | 1 | default → 300 454MiB | 1 | yes | 5.0 / 4.0 | 200 / 180 | Keep: AlreadyBest |", text)

    def test_is_written_from_whatever_there_is(self):
        for records in ([], [failed()], [record(tuner="grid-400", repetition=1)]):
            self.assertIn("## Goals", text_of(records))


if __name__ == "__main__":
    unittest.main()
