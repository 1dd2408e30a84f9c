#!/usr/bin/env python3
"""The profile that `gopacer advise -o yaml` prints is accepted by a real API server as it is.

GOPACER is the built program.
"""

import datetime
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
READINGS = 8


def setUpModule():
    harness.start_api_server()
    harness.install_crds()


def record(directory):
    """A recording of a busy service, made of what a real one answered once."""
    page = json.loads((ROOT / "tests/data/go/go1.26.vars.json").read_text())
    target = {"format": 1, "subject": "http://127.0.0.1:6061/internal/pprof", "interval": "5s"}
    (directory / "target.json").write_text(json.dumps(target))
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for i in range(READINGS):
        reading = directory / f"{i + 1:04}"
        reading.mkdir()
        stats = page["memstats"]
        stats["TotalAlloc"] += 100_000_000
        stats["Mallocs"] += 1_000_000
        stats["Frees"] += 1_000_000
        stats["NumGC"] += 10
        (reading / "vars.json").write_text(json.dumps(page))
        (reading / "time").write_text((began + datetime.timedelta(seconds=5 * i)).strftime("%Y-%m-%dT%H:%M:%SZ\n"))
        (reading / "metrics.txt").write_text(
            f'go_info{{version="go1.26.8"}} 1\ngo_gc_gogc_percent 100\nprocess_cpu_seconds_total {10 + 2 * i}\n'
            f"go_cpu_classes_gc_total_cpu_seconds_total {1 + 0.4 * i}\n")


class Advise(unittest.TestCase):
    def advise(self, *arguments):
        with tempfile.TemporaryDirectory() as name:
            record(pathlib.Path(name))
            result = subprocess.run([os.environ["GOPACER"], "advise", "--samples", name, "-o", "yaml", *arguments], capture_output=True,
                                    text=True, timeout=30)
        self.assertIn(result.returncode, (0, 1, 4), result.stderr)
        return result.stdout

    def created(self, profile):
        answer = harness.kubectl("create", "--validate=strict", "-o", "json", "-f", "-", stdin=profile)
        return json.loads(answer)

    def test_the_profile_is_accepted_and_asks_for_what_was_asked(self):
        profile = self.advise("--name", "first", "--limit", "512Mi", "--objective", "Throughput", "--max-gogc", "300")
        created = self.created(profile)
        self.assertEqual(created["spec"]["targetRef"]["name"], "first")
        self.assertEqual(created["spec"]["objective"], {"type": "Throughput", "strategy": "Model", "memoryPricePerGiBCores": "0.083"})
        self.assertEqual(created["spec"]["bounds"]["maxAllowed"]["gogc"], 300)
        self.assertEqual(created["spec"]["runtimeMetrics"]["port"], 6061)
        self.assertEqual(created["spec"]["runtimeMetrics"]["path"], "/internal/pprof")
        self.assertEqual(created["spec"]["updatePolicy"]["updateMode"], "Off")

    def test_a_published_formula_is_accepted_too(self):
        profile = self.advise("--name", "second", "--strategy", "PauseFeedback")
        self.assertEqual(self.created(profile)["spec"]["objective"]["strategy"], "PauseFeedback")

    def test_a_name_that_yaml_would_take_for_a_number_is_accepted(self):
        self.assertEqual(self.created(self.advise("--name", "2024"))["metadata"]["name"], "2024")


if __name__ == "__main__":
    unittest.main(verbosity=2)
