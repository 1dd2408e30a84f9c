#!/usr/bin/env python3
"""Compares what `gopacer advise` estimates from outside with what the process knows, on several versions of Go.

compare.py GOPACER [--for 30s] [VERSION...]     prints a table in Markdown; exit code 1 when an error is beyond its limit

GOPACER is the built program. It is asked by pprof alone and by the process's memory, first with nothing else on the machine (it has
to be idle: the runtime's own account of collection's CPU is of wall-clock time), then with as many busy processes as there are CPUs.
Versions are full ones (1.21.13), fetched as modules where they are not there yet.
"""
import argparse
import contextlib
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
FIGURES = ["A", "V", "M", "m", "share, profile", "share, memory", "share, gc/busy", "crowded, profile", "crowded, memory", "crowded, gc/CPU",
           "crowded, gc/busy"]
# Largest error that is accepted of a figure, relative; the table says what it was.
LIMITS = {"A": 0.10, "V": 0.15, "M": 0.30, "m": 0.75, "share, profile": 0.60, "share, memory": 0.30}


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


def advise(gopacer, arguments, length):
    return subprocess.Popen([gopacer, "advise", *arguments, "--for", length, "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def neighbours(count):
    """Processes that want a CPU each, all of the time."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def observe(gopacer, service, environment, length):
    """What is seen of the service in a while by pprof alone and by its memory, and what it counted meanwhile."""
    by_pprof = ["--url", service.url, "--current-gogc", environment.get("GOGC", "100")]
    if "GOMEMLIMIT" in environment:
        by_pprof += ["--current-gomemlimit", environment["GOMEMLIMIT"]]
    before = service.truth()
    began = time.monotonic()
    asked = [advise(gopacer, by_pprof, length), advise(gopacer, ["--pid", str(service.process.pid)], length)]
    answers = [json.loads(one.communicate()[0]) for one in asked]
    after = service.truth()
    for answer in answers:
        if answer["observed"] is None:
            raise SystemExit(f"{answer['subject']}: {answer['message']}")
    change = {name: after[name] - before[name] for name in before}
    return [answer["observed"] for answer in answers], change, time.monotonic() - began


def measure(gopacer, program, arguments, environment, length):
    """Relative errors of each figure, and collection's true share of the CPU: alone on the machine, and with neighbours."""
    service = Service(program, arguments, environment)
    try:
        service.warm_up()
        (by_pprof, by_memory), alone, seconds = observe(gopacer, service, environment, length)
        with neighbours(os.cpu_count()):
            (crowded_pprof, crowded_memory), crowded, _ = observe(gopacer, service, environment, length)
    finally:
        service.close()
    # The runtime's account is of wall-clock time. What a collection costs does not change with the neighbours, so what it was
    # without them tells what it is beside them.
    each = alone["GcSeconds"] / alone["Cycles"]
    share = each * alone["Cycles"] / alone["CpuSeconds"]
    crowded_share = each * crowded["Cycles"] / crowded["CpuSeconds"]
    pairs = {
        "A": (by_pprof["allocBytesPerSecond"], alone["AllocatedBytes"] / seconds),
        "V": (by_pprof["cycleVolumeBytes"], alone["AllocatedBytes"] / alone["Cycles"]),
        "M": (by_pprof["meanLiveHeapBytes"], alone["LiveSum"] / alone["LiveCount"]),
        "m": (by_pprof["gcCpuSecondsPerCycle"], each),
        "share, profile": (by_pprof["gcCpuFraction"], share),
        "share, memory": (by_memory["gcCpuFraction"], share),
        "share, gc/busy": (alone["GcSeconds"] / alone["BusySeconds"], share),
        "crowded, profile": (crowded_pprof["gcCpuFraction"], crowded_share),
        "crowded, memory": (crowded_memory["gcCpuFraction"], crowded_share),
        "crowded, gc/CPU": (crowded["GcSeconds"] / crowded["CpuSeconds"], crowded_share),
        "crowded, gc/busy": (crowded["GcSeconds"] / crowded["BusySeconds"], crowded_share),
    }
    return {name: estimate / truth - 1 for name, (estimate, truth) in pairs.items()}, share, crowded_share


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gopacer", type=pathlib.Path)
    parser.add_argument("versions", nargs="*", default=VERSIONS)
    parser.add_argument("--for", dest="length", default="30s")
    options = parser.parse_args()
    gopacer = options.gopacer.resolve()
    rows = []
    print(f"| Go | service | {' | '.join(FIGURES)} | true shares |\n|{'---|' * (len(FIGURES) + 3)}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for version in options.versions:
            program = build(version, pathlib.Path(directory))
            for name, arguments, environment in CASES:
                errors, share, crowded = measure(gopacer, program, arguments, environment, options.length)
                rows.append(errors)
                cells = " | ".join(f"{errors[figure] * 100:+.1f} %" for figure in FIGURES)
                print(f"| {version} | {name} | {cells} | {share * 100:.1f} %, {crowded * 100:.1f} % |", flush=True)
    sizes = {figure: [abs(errors[figure]) for errors in rows] for figure in FIGURES}
    for name, of in (("median of sizes", statistics.median), ("worst", max)):
        print(f"| **{name}** | | {' | '.join(f'{of(sizes[figure]) * 100:.1f} %' for figure in FIGURES)} | |")
    beyond = [f"{figure}: {max(sizes[figure]) * 100:.1f} %" for figure, most in LIMITS.items() if max(sizes[figure]) > most]
    if beyond:
        sys.exit("beyond the limit: " + ", ".join(beyond))


if __name__ == "__main__":
    # What was started is ended on the way out, also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
