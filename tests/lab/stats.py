"""Medians, bootstrap intervals, and the figures of the goals, from the records of trials."""
import math
import random
import statistics

import plan
import tuners
import yardstick

DRAWS = 2000
CONFIDENCE = 0.95
# The point of the grid with the least CPU at equal work. One trial knows that nearly exactly, so that the choice holds no luck.
BEST_BY_SHARE = "best by share"


def quantile(values, q):
    """By linear interpolation between the ordered values."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def bootstrap(arms, figure, seed=0, draws=DRAWS):
    """`figure` of the arms' values and its interval: (value, low, high), or None where the figure can't be computed.

    `arms` maps a name to the values of its repetitions; `figure` takes such a mapping. Each arm is drawn from on its own,
    with replacement. Draws for which the figure can't be computed are left out."""
    value = attempt(figure, arms)
    if value is None:
        return None
    source = random.Random(seed)
    drawn = []
    for _ in range(draws):
        one = attempt(figure, {name: source.choices(values, k=len(values)) for name, values in arms.items() if values})
        if one is not None:
            drawn.append(one)
    if not drawn:
        return value, value, value
    return value, quantile(drawn, (1 - CONFIDENCE) / 2), quantile(drawn, (1 + CONFIDENCE) / 2)


def attempt(figure, arms):
    try:
        return figure(arms)
    except (KeyError, ZeroDivisionError, statistics.StatisticsError):
        return None


def geometric_mean(values):
    values = list(values)
    return math.exp(statistics.fmean(map(math.log, values)))


def mark_duty(record):
    """Share of the time in which a collection was marking."""
    return record["trace"]["markSeconds"] / record["seconds"]


def gc_share(record):
    """Collection's share of the program's CPU time, by the runtime's own account of each cycle."""
    return record["trace"]["cpuSeconds"] / record["cpuSeconds"]


def profile_share(record):
    """Collection's share of the program's CPU time, by a CPU profile. The whole is the cgroup's CPU time, not the profile's: a
    profile misses part of the work that is done in bursts shorter than the kernel's tick, and marking is none of that."""
    return record["profile"]["gcSeconds"] / record["cpuSeconds"]


def at_equal_work(record):
    """CPU of a request in units of what it costs beside collection. A tuner that changes nothing but collection changes this as
    it changes CPU per request, and it is of one trial alone: how fast the machine was is not in it."""
    return 1 / (1 - gc_share(record))


METRICS = {
    "cpu": plan.adjusted_cpu,
    "equalWork": at_equal_work,
    "mean": lambda r: r["memory"]["meanBytes"],
    "peak": lambda r: r["memory"]["peakBytes"],
    "p50": lambda r: r["load"]["p50Ms"],
    "p99": lambda r: r["load"]["p99Ms"],
    "p999": lambda r: r["load"]["p999Ms"],
    "share": gc_share,
    "profile": profile_share,
    "duty": mark_duty,
}


class Results:
    """The records of one scenario, by program and tuner. The point of the grid that was the best of the first repetitions
    appears as `oracle`, with its later repetitions only, so that it has no luck of its own choice in it; where there are
    no later ones, with all."""

    def __init__(self, records, scenario):
        self.records = [r for r in yardstick.adjusted(records) if r["scenario"] == scenario]
        self.scenario = scenario
        self.programs = list(dict.fromkeys(r["program"] for r in self.records))
        self.programs.sort()
        self.best = {p: plan.best_of_grid(self.records, scenario, p) for p in self.programs}
        self.best_by_share = {p: plan.best_of_grid(self.records, scenario, p, at_equal_work) for p in self.programs}

    def tuners(self):
        there = {r["tuner"] for r in self.records}
        return [name for name in tuners.CHOICES if name in there or name == "oracle" and any(self.best.values())]

    def trials(self, program, tuner):
        """All trials, failed ones too."""
        if tuner == BEST_BY_SHARE:
            tuner = self.best_by_share[program]
        if tuner != "oracle":
            return [r for r in self.records if (r["program"], r["tuner"]) == (program, tuner)]
        trials = self.trials(program, self.best[program]) if self.best[program] else []
        return [r for r in trials if r["repetition"] > plan.SHORT_REPETITIONS] or trials

    def measured(self, program, tuner):
        """The trials that gave figures."""
        return [r for r in self.trials(program, tuner) if not r.get("failure")]

    def values(self, program, tuner, metric):
        found = []
        for record in self.measured(program, tuner):
            try:
                found.append(METRICS[metric](record))
            except (KeyError, ZeroDivisionError):
                continue
        return found

    def median(self, program, tuner, metric):
        """(median, low, high) or None."""
        return bootstrap({"": self.values(program, tuner, metric)}, lambda arms: statistics.median(arms[""]))

    def ratio(self, program, tuner, against, metric):
        """Median of the tuner's by median of the other's: (ratio, low, high) or None."""
        return self.over((program,), (tuner, against), metric, lambda m: m[program, tuner] / m[program, against])

    def over(self, programs, names, metric, figure):
        """A figure of medians: `figure` takes a mapping of (program, tuner) to the median."""
        arms = {(p, t): self.values(p, t, metric) for p in programs for t in names}
        return bootstrap(arms, lambda drawn: figure({key: statistics.median(values) for key, values in drawn.items()}))

    def mean_ratio(self, tuner, against, metric, programs=None):
        """Geometric mean of the ratios over the programs in which both have figures: (ratio, low, high) or None."""
        both = [p for p in programs or self.programs if self.measured(p, tuner) and self.measured(p, against)]
        if not both:
            return None
        return self.over(both, (tuner, against), metric,
                         lambda m: geometric_mean(m[p, tuner] / m[p, against] for p in both))

    def oracle_share(self, tuner, programs=None, metric="cpu"):
        """How much of the oracle's saving of CPU the tuner gets, 1 is all: sum of its savings against the default by the
        sum of the oracle's, each relative to the program's default. The oracle of "equalWork" is chosen by that, too."""
        oracle = BEST_BY_SHARE if metric == "equalWork" else "oracle"
        chosen = [p for p in programs or self.programs
                  if all(self.measured(p, t) for t in (tuner, oracle, "default"))]
        if not chosen:
            return None

        def share(m):
            won = sum(1 - m[p, tuner] / m[p, "default"] for p in chosen)
            possible = sum(1 - m[p, oracle] / m[p, "default"] for p in chosen)
            if possible <= 0:
                raise ZeroDivisionError
            return won / possible

        return self.over(chosen, (tuner, oracle, "default"), metric, share)


def advice_of(record):
    """Which advice a trial of gopacer measures: program, tuner and repetition in which it was taken."""
    return record["program"], record["tuner"], record.get("advisedInRepetition", record["repetition"])


def prediction_errors(records):
    """Relative errors of gopacer's predictions under steady load, one entry an advice: predicted against what its trials
    have measured together, since one trial alone holds too few samples of GC's work."""
    groups = {}
    for record in records:
        if record["tuner"] in tuners.ADVISED and record["scenario"] == "steady" and not record.get("failure") and record.get("predicted"):
            groups.setdefault(advice_of(record), []).append(record)
    found = []
    for (program, tuner, repetition), trials in sorted(groups.items()):
        cpu = sum(r["cpuSeconds"] for r in trials)
        profiled = [r for r in trials if "gcSeconds" in r["profile"]]
        measured = {
            "gcCpuFraction": sum(r["profile"]["gcSeconds"] for r in profiled) / max(1e-9, sum(r["cpuSeconds"] for r in profiled)),
            "gcCpuFractionByTrace": sum(r["trace"]["cpuSeconds"] for r in trials) / cpu,
            "peakMemoryBytes": statistics.median(r["memory"]["peakBytes"] for r in trials)}
        entry = {"program": program, "tuner": tuner, "repetition": repetition, "trials": len(trials)}
        for name, value in measured.items():
            said = trials[0]["predicted"].get(name.removesuffix("ByTrace"))
            if said is None or not value:
                continue
            entry[name] = {"predicted": said["value"], "measured": value, "error": said["value"] / value - 1,
                           "within": said["low"] <= value <= said["high"]}
        found.append(entry)
    return found
