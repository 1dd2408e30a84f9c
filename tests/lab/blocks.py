"""Settings beside each other within one process: `gopacer tune` changes them while it runs, block after block.

Each round has a block of every arm, in an order drawn anew, so that whatever happens to the machine meanwhile happens to all of
them. A block begins when collections have ended with the new settings, and lasts as long as some whole ones take."""
import collections
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
FEWEST_ROUNDS = 2  # an interval needs them
DEFAULT = "default"
LIVE = "-live"


@dataclasses.dataclass(frozen=True)
class Arm:
    name: str
    settings: tuple  # at each rate of the load, as environment variables

    def options(self, level):
        own = self.settings[level]
        return ["--gogc", own.get("GOGC", "100"), "--mem-limit", own.get("GOMEMLIMIT", "off")]

    def same(self, other):
        return all(advice.same(one, two) for one, two in zip(self.settings, other.settings, strict=True))

    def in_words(self):
        """Environment variables; "200 → 400" where they change with the load."""
        names = dict.fromkeys(name for own in self.settings for name in own)
        return {name: " → ".join(dict.fromkeys(own.get(name, "none") for own in self.settings)) for name in names}


def arms_of(program, non_go, asked):
    """`asked`: what gopacer advised at each rate of the load, settings by the name of the tuner. With several rates there is an
    arm that keeps to the first advice, as after a rollout, and one that follows the load, as `apply: Live` does."""
    limit = tuners.size(int(0.9 * program.limit))
    static = {DEFAULT: {}, **asked[0], **{name: tuners.grid_environment(name, program.limit, non_go) for name in tuners.ORACLE},
              "automemlimit": {"GOMEMLIMIT": limit}, "automemlimit-off": {"GOGC": "off", "GOMEMLIMIT": limit}}
    arms = [Arm(name, (settings,) * len(asked)) for name, settings in static.items()]
    if len(asked) > 1:
        arms += [Arm(name + LIVE, tuple(at_rate[name] for at_rate in asked)) for name in asked[0]]
    return arms


def distinct(arms):
    """The arms to measure, and for each name which of them stands for it."""
    measured, stands_for = [], {}
    for arm in arms:
        same = next((one for one in measured if one.same(arm)), None)
        if same is None:
            measured.append(arm)
        stands_for[arm.name] = (same or arm).name
    return measured, stands_for


def length_of(period, wanted):
    """Seconds of a block: whole collections, about `wanted` seconds of them."""
    return min(LONGEST, max(SHORTEST, period * max(1, round(wanted / period))))


def tune(gopacer, server, options):
    undo = os.path.join(server.directory, "undo.json")
    done = subprocess.run([gopacer, "tune", "--pid", str(server.process.pid), *options, "--undo-file", undo, "-o", "json"],
                          capture_output=True, text=True, timeout=30)
    with contextlib.suppress(FileNotFoundError):
        os.remove(undo)
    if done.returncode != 0:
        raise trial.TrialError(f"gopacer tune {' '.join(options)}: {done.stderr.strip()[-300:]}")
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


def ask(bench, program, server, level):
    """What gopacer advises now, by the name of the tuner: its documents."""
    recording = os.path.join(server.directory, f"recording-{level}")
    asked = {"gopacer": advice.ask(bench.tools["gopacer"], server.process.pid, server.debug, program.limit, bench.advise_seconds,
                                   recording, ("taskset", "-c", str(trial.OTHER_CPU)))}
    asked["gopacer-throughput"] = advice.ask_again(bench.tools["gopacer"], recording, tuners.ADVISED["gopacer-throughput"])
    return asked


def ask_at_each(bench, program, server, load, rates):
    asked = []
    for level, rate in enumerate(rates):
        change_rate(load, rate, rates)
        asked.append(ask(bench, program, server, level))
    return asked


def change_rate(load, rate, rates):
    if len(rates) > 1:
        load.tell(f"rate {rate}")
        time.sleep(trial.SETTLE)


def merged(parts):
    """One record of the blocks of an arm at each rate of a round, as if each had lasted as long: how long a block is depends on
    the arm, and a request costs more at one rate than at another. Collections and errors are as they were counted."""
    if len(parts) == 1:
        return parts[0]
    seconds = sum(p["seconds"] for p in parts)
    weights = [seconds / len(parts) / p["seconds"] for p in parts]

    def weighted(values):
        return round(sum(weight * value for weight, value in zip(weights, values, strict=True)), 6)

    def in_all(group, names, figure):
        return {name: figure([p[group][name] for p in parts]) for name in names if all(name in p[group] for p in parts)}

    load = {**in_all("load", ("requests", "answered"), weighted), **in_all("load", ("errors",), sum),
            **in_all("load", ("p99Ms",), max), **in_all("load", ("memoryReadNs",), statistics.fmean)}
    cpu_seconds = weighted([p["cpuSeconds"] for p in parts])
    return {**parts[0], "seconds": round(seconds, 3), "load": load, "cpuSeconds": cpu_seconds,
            "cpuPerRequestMs": round(1000 * cpu_seconds / load["answered"], 6),
            **{name: round(sum(p[name] for p in parts), 3) for name in ("foreignCpuSeconds", "stolenCpuSeconds")},
            "memory": {"meanBytes": round(statistics.fmean(p["memory"]["meanBytes"] for p in parts)),
                       "peakBytes": max(p["memory"]["peakBytes"] for p in parts)},
            "profile": in_all("profile", ("gcSeconds", "sweepSeconds"), weighted),
            "trace": {**in_all("trace", ("cycles",), sum), **in_all("trace", ("markSeconds", "cpuSeconds"), weighted)},
            "parts": [{"rate": p["rates"][0], "seconds": p["seconds"], "cpuPerRequestMs": p["cpuPerRequestMs"],
                       "meanBytes": p["memory"]["meanBytes"], "peakBytes": p["memory"]["peakBytes"]} for p in parts],
            "rates": [rate for p in parts for rate in p["rates"]]}


def is_cut(records):
    """Whether a run ended within these blocks of one program: an arm lacks in a round, or not all rounds are there that were
    asked for. Records of before `rounds` do not tell the latter."""
    arms = collections.Counter(r["round"] for r in records)
    return len(set(arms.values())) > 1 or len(arms) < records[-1].get("rounds", FEWEST_ROUNDS)


def missing(records, programs):
    """Those of the programs that no blocks are there of, or not all: they are measured anew."""
    its = {name: [r for r in records if r["program"] == name] for name in programs}
    return [name for name in programs if not its[name] or is_cut(its[name])]


def grow_old(server, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        server.check()
        time.sleep(min(1.0, seconds))


def run(bench, name, rounds, wanted, age, seed):
    """Yields the records of one program's blocks, those of a round one after the other. Before anything is asked or measured the
    program is under load for `age` seconds: while a cache's entries are replaced its objects get scattered in memory, and
    marking them costs up to three times as much after some minutes as at first."""
    program = BLOCK_PROGRAMS[name]
    rates = program.rates or (program.rate,)
    with contextlib.ExitStack() as stack:
        server, load, ends = bench.start(program, tuners.TUNERS[DEFAULT], {}, rates)
        stack.push(ends)
        grow_old(server, age)
        asked = ask_at_each(bench, program, server, load, rates)
        non_go = max(0, server.group.memory() - int(server.stats()["mappedBytes"] - server.stats()["releasedBytes"]))
        arms, stands_for = distinct(arms_of(program, non_go, [{who: advice.settings_of(said) for who, said in one.items()} for one in asked]))
        source = random.Random(f"{seed} {name}")
        for number in range(1, rounds + 1):
            done = {arm.name: [] for arm in arms}
            for level in source.sample(range(len(rates)), len(rates)):
                change_rate(load, rates[level], rates)
                for arm in source.sample(arms, len(arms)):
                    effect = tune(bench.tools["gopacer"], server, arm.options(level))
                    seconds = round(length_of(settle(server), wanted), 3)
                    done[arm.name].append({
                        "program": name, "arm": arm.name, "round": number, "rounds": rounds, "ageSeconds": age, "settings": arm.in_words(), "limitBytes": program.limit,
                        "alsoOf": sorted(one for one, by in stands_for.items() if by == arm.name and one != arm.name),
                        "effectMs": effect.get("effectMilliseconds"), "startedAt": int(time.time()), "rates": [rates[level]],
                        **trial.measure(server, load, (rates[level],), seconds, bench.tools)})
                    if len(done[arm.name]) < len(rates):
                        continue
                    record = merged(done[arm.name])
                    if number == 1 and arm.name == DEFAULT:
                        record["advice" if len(rates) == 1 else "adviceByRate"] = asked[0] if len(rates) == 1 else asked
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
    """Of the CPU, what collection takes by the runtime's account, and sweeping, which that leaves out, by the profile. The account
    is of wall-clock time: of a program that shares its CPUs with the load, or has a quota, the profile tells all of it."""
    if record["runtime"].get("gomaxprocs", 1) > 1 and "gcSeconds" in record["profile"]:
        return record["profile"]["gcSeconds"] / record["cpuSeconds"]
    return (record["trace"]["cpuSeconds"] + record["profile"].get("sweepSeconds", 0)) / record["cpuSeconds"]


def cpu_by_share(work):
    """The same, if all but collection took `work` milliseconds whatever the settings: what slows the machine slows both, so that
    the share of collection tells more of the settings than the CPU does."""
    return lambda record: work / (1 - share(record))


def work(records, program):
    return statistics.fmean(cpu(r) * (1 - share(r)) for r in records if r["program"] == program)


