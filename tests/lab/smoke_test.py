#!/usr/bin/env python3
"""The lab on the real thing: one program, two tuners, a few seconds each. Nothing is said of how fast it was."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import trial
import tuners

HERE = pathlib.Path(__file__).resolve().parent
GO = HERE.parents[1] / "tools" / "go.sh"


class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.binaries = pathlib.Path(directory.name)
        subprocess.run([GO, "build", "-trimpath", "-o", f"{cls.binaries}/", "./checkout", "./load", "./gcshare"],
                       cwd=HERE / "programs", env={**os.environ, "CGO_ENABLED": "0"}, check=True)

    def test_sees_that_a_program_was_killed_for_its_memory(self):
        with tempfile.TemporaryDirectory() as work, self.assertRaises(trial.OutOfMemory):
            # 48 MiB of sessions do not fit.
            trial.Server(self.binaries / "checkout", tuners.TUNERS["default"], {}, 40 << 20, trial.Ports().take(), work)

    def test_measures_and_goes_on_where_it_was_cut(self):
        root = self.binaries
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory)
            command = [sys.executable, "-B", HERE / "main.py", "--binaries", root, "--out", out, "--data-only", "--programs",
                       "checkout", "--tuners", "default,automemlimit-off", "--scenarios", "steady", "--repetitions", "1",
                       "--seconds", "2", "--warm", "2"]
            subprocess.run(command, check=True)
            data = out / "data" / "trials.jsonl"
            records = [json.loads(line) for line in data.read_text().splitlines()]
            self.assertEqual({r["tuner"] for r in records}, {"default", "automemlimit-off"})
            for record in records:
                self.assertNotIn("failure", record)
                self.assertGreater(record["load"]["answered"], 0)
                self.assertGreater(record["cpuSeconds"], 0)
                # 48 MiB of sessions stay live, and the limit is 512 MiB.
                self.assertTrue(48 << 20 < record["memory"]["meanBytes"] <= record["memory"]["peakBytes"] < 512 << 20, record["memory"])
            off = next(r for r in records if r["tuner"] == "automemlimit-off")
            self.assertEqual(off["runtime"]["goMemLimit"], int(0.9 * (512 << 20)))

            kept = data.read_text().splitlines()[0]
            data.write_text(kept + "\n" + '{"program": "che')  # as a run leaves it that was killed while it wrote
            subprocess.run([*command, "--resume"], check=True)
            lines = data.read_text().splitlines()
            self.assertEqual((len(lines), lines[0]), (2, kept))


    @unittest.skipUnless(os.environ.get("GOPACER_LONG"), "three minutes: GOPACER_LONG=1 runs it")
    def test_changes_settings_block_by_block(self):
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory)
            subprocess.run([sys.executable, "-B", HERE / "main.py", "--binaries", self.binaries, "--out", out, "--programs", "checkout",
                            "--gopacer", os.environ["GOPACER_BINARY"], "--blocks", "--rounds", "2", "--block-seconds", "2", "--warm", "2", "--age", "0",
                            "--advise-seconds", "20"], check=True)
            records = [json.loads(line) for line in (out / "data" / "blocks.jsonl").read_text().splitlines()]
            for record in records:
                asked = record["settings"].get("GOGC", "100")
                # The runtime tells "off" as the largest number.
                self.assertEqual("off" if record["runtime"]["gogc"] > 1e15 else f"{record['runtime']['gogc']:g}", asked, record["arm"])
            self.assertEqual({record["round"] for record in records}, {1, 2})
            self.assertIn("## checkout", (out / "blocks.md").read_text())


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: only root may make cgroups")
        sys.exit(77)
    unittest.main()
