#!/usr/bin/env python3
"""Compares what `gopacer advise` estimates from outside with what the process knows, on several versions of Go.

compare.py GOPACER [--for 30s] [VERSION...]     prints a table in Markdown; exit code 1 when an error is beyond its limit

GOPACER is the built program. Wants a machine that is otherwise idle: the runtime's own account of collection's CPU is of
wall-clock time. Versions are full ones (1.21.13), fetched as modules where they are not there yet.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = ["1.21.13", "1.22.12", "1.23.12", "1.24.6", "1.25.1", "1.26.8"]
# Name, arguments of the service, environment.
CASES = [
    ("GOGC=100", ["-live=32", "-rate=60"], {}),
    ("GOGC=off, GOMEMLIMIT=128MiB", ["-live=32", "-rate=60"], {"GOGC": "off", "GOMEMLIMIT": "128MiB"}),
    ("4 MiB live", ["-live=4", "-rate=40"], {}),
]
FIGURES = ["A", "V", "M", "m", "GC share"]
# Largest error that is accepted of a figure, relative; the table says what it was.
LIMITS = {"A": 0.10, "V": 0.15, "M": 0.30, "m": 0.75, "GC share": 0.60}


def build(version, directory):
    go = subprocess.run([ROOT / "tests/data/record.sh", "path", version], check=True, capture_output=True, text=True).stdout.split()[-1]
    program = directory / f"truth-{version}"
    environment = {**os.environ, "GOROOT": "", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
    subprocess.run([go, "build", "-trimpath", "-o", program, "."], cwd=ROOT / "tests/truth", env=environment, check=True)
    return program


class Service:
    def __init__(self, program, arguments, environment):
        self.process = subprocess.Popen([program, *arguments], stderr=subprocess.PIPE, text=True,
                                        env={"PATH": os.environ["PATH"], "GOMAXPROCS": "2", **environment})
        line = self.process.stderr.readline()
        self.url = "http://" + re.search(r"listens on (\S+)", line).group(1)

    def truth(self):
        with urllib.request.urlopen(self.url + "/truth", timeout=10) as answer:
            return json.load(answer)

    def warm_up(self):
        while self.truth()["Cycles"] < 20:
            time.sleep(0.1)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def measure(gopacer, program, arguments, environment, length):
    service = Service(program, arguments, environment)
    try:
        service.warm_up()
        before = service.truth()
        began = time.monotonic()
        command = [gopacer, "advise", "--url", service.url, "--for", length, "-o", "json", "--current-gogc", environment.get("GOGC", "100")]
        if "GOMEMLIMIT" in environment:
            command += ["--current-gomemlimit", environment["GOMEMLIMIT"]]
        answer = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - began
        after = service.truth()
    finally:
        service.close()
    advice = json.loads(answer.stdout)
    seen = advice["observed"]
    if seen is None:
        raise SystemExit(f"{program.name} {arguments}: {advice['message']}")
    change = {name: after[name] - before[name] for name in before}
    truth = {
        "A": change["AllocatedBytes"] / seconds,
        "V": change["AllocatedBytes"] / change["Cycles"],
        "M": change["LiveSum"] / change["LiveCount"],
        "m": change["GcSeconds"] / change["Cycles"],
        "GC share": change["GcSeconds"] / change["CpuSeconds"],
    }
    estimate = {
        "A": seen["allocBytesPerSecond"],
        "V": seen["cycleVolumeBytes"],
        "M": seen["meanLiveHeapBytes"],
        "m": seen["gcCpuSecondsPerCycle"],
        "GC share": seen["gcCpuFraction"],
    }
    errors = {name: estimate[name] / truth[name] - 1 for name in FIGURES}
    return errors, truth, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gopacer", type=pathlib.Path)
    parser.add_argument("versions", nargs="*", default=VERSIONS)
    parser.add_argument("--for", dest="length", default="30s")
    options = parser.parse_args()
    gopacer = options.gopacer.resolve()
    all_errors = {name: [] for name in FIGURES}
    print("| Go | service | A | V | M | m | GC share | true GC share | GC CPU from |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for version in options.versions:
            program = build(version, pathlib.Path(directory))
            for name, arguments, environment in CASES:
                errors, truth, seen = measure(gopacer, program, arguments, environment, options.length)
                for figure in FIGURES:
                    all_errors[figure].append(errors[figure])
                cells = " | ".join(f"{errors[figure] * 100:+.1f} %" for figure in FIGURES)
                print(f"| {version} | {name} | {cells} | {truth['GC share'] * 100:.1f} % | {seen['sources']['gcCpu']} |", flush=True)
    middle = " | ".join(f"{statistics.median(abs(e) for e in all_errors[figure]) * 100:.1f} %" for figure in FIGURES)
    worst = " | ".join(f"{max(abs(e) for e in all_errors[figure]) * 100:.1f} %" for figure in FIGURES)
    print(f"| **median of sizes** | | {middle} | | |\n| **worst** | | {worst} | | |")
    beyond = [f"{figure}: {max(map(abs, all_errors[figure])) * 100:.1f} %" for figure in FIGURES
              if max(map(abs, all_errors[figure])) > LIMITS[figure]]
    if beyond:
        sys.exit("beyond the limit: " + ", ".join(beyond))


if __name__ == "__main__":
    # What was started is ended on the way out, also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
