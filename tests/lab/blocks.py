"""Settings beside each other within one process: `gopacer tune` changes them while it runs, block after block.

Each round has a block of every arm, in an order drawn anew, so that whatever happens to the machine meanwhile happens to all of
them. A block begins when collections have ended with the new settings, and lasts as long as some whole ones take."""
import contextlib
import dataclasses
import json
import os
import random
import statistics
import subprocess
import time

import advice
import trial
import tuners
from programs import BLOCK_PROGRAMS

MOST_SETTLE = 8.0
SETTLED_CYCLES = 3  # of which the first may have begun with the old settings
SHORTEST, LONGEST = 2.0, 30.0
DEFAULT = "default"


@dataclasses.dataclass(frozen=True)
class Arm:
    name: str
    settings: dict  # as environment variables

    def options(self):
        return ["--gogc", self.settings.get("GOGC", "100"), "--mem-limit", self.settings.get("GOMEMLIMIT", "off")]


def arms_of(program, non_go, advised):
    """`advised`: settings by the name of the tuner. What is the same as another arm is not measured twice."""
    limit = tuners.size(int(0.9 * program.limit))
    wanted = [Arm(DEFAULT, {}), *(Arm(name, settings) for name, settings in advised.items()),
              *(Arm(name, tuners.grid_environment(name, program.limit, non_go)) for name in tuners.ORACLE),
              Arm("automemlimit", {"GOMEMLIMIT": limit}), Arm("automemlimit-off", {"GOGC": "off", "GOMEMLIMIT": limit})]
    return wanted


def distinct(arms):
    """The arms to measure, and for each name which of them stands for it."""
    measured, stands_for = [], {}
    for arm in arms:
        same = next((one for one in measured if advice.same(one.settings, arm.settings)), None)
        if same is None:
            measured.append(arm)
        stands_for[arm.name] = (same or arm).name
    return measured, stands_for


def length_of(period, wanted):
    """Seconds of a block: whole collections, about `wanted` seconds of them."""
    return min(LONGEST, max(SHORTEST, period * max(1, round(wanted / period))))


def tune(gopacer, server, arm):
    undo = os.path.join(server.directory, "undo.json")
    done = subprocess.run([gopacer, "tune", "--pid", str(server.process.pid), *arm.options(), "--undo-file", undo, "-o", "json"],
                          capture_output=True, text=True, timeout=30)
    with contextlib.suppress(FileNotFoundError):
        os.remove(undo)
    if done.returncode != 0:
        raise trial.TrialError(f"gopacer tune {' '.join(arm.options())}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def settle(server):
    """Waits until collections have ended with the settings that are in force. The time from one to the next."""
    trial.get(f"http://{server.debug}/lab/free", 30)
    began = last = time.monotonic()
    first = seen = server.stats()["cycles"]
    period = None
    while seen < first + SETTLED_CYCLES and time.monotonic() - began < MOST_SETTLE:
        time.sleep(0.05)
        server.check()
        cycles = server.stats()["cycles"]
        if cycles > seen:
            now = time.monotonic()
            period, last, seen = (now - last) / (cycles - seen), now, cycles
    return period or MOST_SETTLE


def run(bench, name, rounds, wanted, seed):
    """Yields the records of one program's blocks, those of a round one after the other."""
    program = BLOCK_PROGRAMS[name]
    with contextlib.ExitStack() as stack:
        server, load, ends = bench.start(program, tuners.TUNERS[DEFAULT], {}, (program.rate,))
        stack.push(ends)
        recording = os.path.join(server.directory, "recording")
        asked = {"gopacer": advice.ask(bench.tools["gopacer"], server.process.pid, server.debug, program.limit, bench.advise_seconds,
                                       recording, ("taskset", "-c", str(trial.OTHER_CPU)))}
        asked["gopacer-throughput"] = advice.ask_again(bench.tools["gopacer"], recording, tuners.ADVISED["gopacer-throughput"])
        non_go = max(0, server.group.memory() - int(server.stats()["mappedBytes"] - server.stats()["releasedBytes"]))
        arms, stands_for = distinct(arms_of(program, non_go, {who: advice.settings_of(said) for who, said in asked.items()}))
        source = random.Random(f"{seed} {name}")
        for number in range(1, rounds + 1):
            for arm in source.sample(arms, len(arms)):
                effect = tune(bench.tools["gopacer"], server, arm)
                seconds = round(length_of(settle(server), wanted), 3)
                record = {"program": name, "arm": arm.name, "round": number, "settings": arm.settings, "limitBytes": program.limit,
                          "alsoOf": sorted(one for one, by in stands_for.items() if by == arm.name and one != arm.name),
                          "effectMs": effect.get("effectMilliseconds"), "startedAt": int(time.time()),
                          **trial.measure(server, load, (program.rate,), seconds, bench.tools)}
                if number == 1 and arm.name == DEFAULT:
                    record["advice"] = asked
                yield record


def by_round(records, program, arm, metric):
    """{round: value} of an arm, or of the one that stands for it."""
    found = {}
    for record in records:
        if record["program"] == program and (record["arm"] == arm or arm in record["alsoOf"]):
            with contextlib.suppress(KeyError, ZeroDivisionError):
                found[record["round"]] = metric(record)
    return found


def cycles(records, program, arm):
    return sum(by_round(records, program, arm, lambda record: record["trace"]["cycles"]).values())


def priced(price, cpu):
    """Of a request: its CPU in core seconds, and memory at so many cores for each GiB, for as long as the request's part of the time."""
    def cost(record):
        requests = record["load"]["answered"] / record["seconds"]
        return cpu(record) / 1000 + price * record["memory"]["meanBytes"] / 2**30 / requests
    return cost


def cpu(record):
    """Milliseconds of a request, as if the machine's memory had been as fast in each block."""
    return record["adjustedCpuMs"]


def share(record):
    """Of the CPU, what collection takes by the runtime's account, and sweeping, which that leaves out, by the profile."""
    return (record["trace"]["cpuSeconds"] + record["profile"].get("sweepSeconds", 0)) / record["cpuSeconds"]


def cpu_by_share(work):
    """The same, if all but collection took `work` milliseconds whatever the settings: what slows the machine slows both, so that
    the share of collection tells more of the settings than the CPU does."""
    return lambda record: work / (1 - share(record))


def work(records, program):
    return statistics.fmean(cpu(r) * (1 - share(r)) for r in records if r["program"] == program)


