"""What the blocks say: ratios within rounds, the oracle's saving and how much of it gopacer gets, predictions against what came."""
import math
import random
import statistics

import blocks
import goals
import stats
import tuners
import yardstick
from programs import BLOCK_PROGRAMS, MIB

PRICE = 0.083  # of a GiB in cores: objective.memoryPricePerGiBCores
ENOUGH_CYCLES = 60
# Two-sided 95 % of Student's t by degrees of freedom; beyond the last as for the normal distribution.
T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09)


def t95(freedom):
    return T[freedom - 1] if freedom <= len(T) else 1.96 + 2.5 / freedom


def ratio(records, program, arm, metric):
    """(ratio to the default, low, high) by the rounds that have both; None where fewer than two have."""
    ours, theirs = (blocks.by_round(records, program, name, metric) for name in (arm, blocks.DEFAULT))
    logs = [math.log(ours[n] / theirs[n]) for n in sorted(ours.keys() & theirs.keys()) if ours[n] > 0 and theirs[n] > 0]
    if len(logs) < 2:
        return None
    middle = statistics.fmean(logs)
    reach = t95(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return tuple(math.exp(x) for x in (middle, middle - reach, middle + reach))


def oracle(records, program, cost):
    """The point of the grid, the default included, that costs least over all rounds and kept to the memory rule. It has the luck
    of being chosen by the same rounds in it, so that what others get of its saving reads low rather than high."""
    found = {}
    for arm in (blocks.DEFAULT, *tuners.ORACLE):
        costs = blocks.by_round(records, program, arm, cost)
        peaks = blocks.by_round(records, program, arm, lambda r: r["memory"]["peakBytes"] / r["limitBytes"])
        if costs and max(peaks.values()) <= tuners.MOST_MEMORY:
            found[arm] = statistics.fmean(costs.values())
    return min(found, key=found.get) if found else None


def share_of_oracle(records, programs, arm, cost_in, draws=2000):
    """(share, low, high): the sum over programs of what the arm saves against the default, by that of the oracle; each relative to
    the program's default. `cost_in`: of a program, the cost by a record. Rounds are drawn with replacement for the interval. None where the oracle saves nothing."""
    table = []  # a program: (default, arm, oracle) of each round
    for program in programs:
        cost = cost_in(program)
        best = oracle(records, program, cost)
        rows = [blocks.by_round(records, program, name, cost) for name in (blocks.DEFAULT, arm, best)]
        common = set.intersection(*(set(row) for row in rows)) if best else ()
        if common:
            table.append([tuple(row[n] for row in rows) for n in sorted(common)])

    def share(drawn):
        won = possible = 0
        for rounds in drawn:
            default, ours, best = (statistics.fmean(column) for column in zip(*rounds))
            won, possible = won + 1 - ours / default, possible + 1 - best / default
        return won / possible if possible > 0 else None

    value = share(table) if table else None
    if value is None:
        return None
    source = random.Random(0)
    drawn = [share([source.choices(rounds, k=len(rounds)) for rounds in table]) for _ in range(draws)]
    drawn = [one for one in drawn if one is not None]
    return value, stats.quantile(drawn, 0.025), stats.quantile(drawn, 0.975)


def predictions(records, programs):
    """Of each program and objective: (program, arm, GC's share predicted, measured by profiles, by the runtime's account and the
    sweeping in the profiles, which that leaves out, peak predicted, measured)."""
    rows = []
    for program in programs:
        advised = next((r["advice"] for r in records if r["program"] == program and "advice" in r), {})
        for arm, document in advised.items():
            said = document.get("predicted")
            its = [r for r in records if r["program"] == program and (r["arm"] == arm or arm in r["alsoOf"])]
            profiled = [r for r in its if "gcSeconds" in r["profile"]]
            if not said or not profiled:
                continue
            whole = sum(r["cpuSeconds"] for r in its)
            rows.append((program, arm, said["gcCpuFraction"],
                         sum(r["profile"]["gcSeconds"] for r in profiled) / sum(r["cpuSeconds"] for r in profiled),
                         sum(blocks.share(r) * r["cpuSeconds"] for r in its) / whole, said["peakMemoryBytes"],
                         max(r["memory"]["peakBytes"] for r in its)))
    return rows


def levels(records, programs):
    """Of each program: (program, collection's share as it was estimated with Go's own settings, with its interval, and as it was)."""
    rows = []
    for program in programs:
        document = next((r["advice"]["gopacer"] for r in records if r["program"] == program and "advice" in r), None)
        its = [r for r in records if r["program"] == program and r["arm"] == blocks.DEFAULT]
        if document and document.get("observed") and its:
            was = sum(blocks.share(r) * r["cpuSeconds"] for r in its) / sum(r["cpuSeconds"] for r in its)
            rows.append((program, document["observed"]["intervals"]["gcCpuFraction"], was))
    return rows


def accounts(records, programs):
    """A line of the table: the runtime's account of collection, with the sweeping of profiles, against the profiles' own."""
    each = []
    for program in programs:
        its = [r for r in records if r["program"] == program and "gcSeconds" in r["profile"]]
        profiled = sum(r["profile"]["gcSeconds"] for r in its)
        if profiled:
            counted = sum(r["trace"]["cpuSeconds"] + r["profile"].get("sweepSeconds", 0) for r in its)
            each.append((program, counted / profiled, BLOCK_PROGRAMS[program].procs > 1))
    if not each:
        return []
    alone = [ratio for _, ratio, shares in each if not shares]
    return ["| the runtime's account of collection and sweeping, by profiles | – | "
            + (f"{min(alone):.2f} to {max(alone):.2f} with a CPU of its own" if alone else "–") + " | – | "
            + "; ".join(f"{name} {ratio:.2f}{' (shares its CPUs)' if shares else ''}" for name, ratio, shares in each) + " |"]


def errors(what, rows):
    """A line of the table: `rows` have (name, {value, low, high}, what came)."""
    sizes = [abs(said["value"] / came - 1) for _, said, came in rows if came]
    if not sizes:
        return []
    within = sum(said["low"] <= came <= said["high"] for _, said, came in rows)
    return [f"| error of {what} | – | median {100 * statistics.median(sizes):.1f} %, worst {100 * max(sizes):.1f} % | – | "
            f"{within} of {len(rows)} within the interval; " + "; ".join(f"{name} {said['value'] / came - 1:+.1%}" for name, said, came in rows if came) + " |"]


def aged(records, program):
    """How long it had been under load before anything was asked."""
    ages = {r.get("ageSeconds", 0) for r in records if r["program"] == program}
    return f", after {min(ages):.0f} s under load" if min(ages) else ""


def change(found):
    return "–" if found is None else f"{100 * (found[0] - 1):+.1f} % ({100 * (found[1] - 1):+.1f} to {100 * (found[2] - 1):+.1f})"


def percent(found):
    return "–" if found is None else f"{100 * found[0]:.1f} % ({100 * found[1]:.1f} to {100 * found[2]:.1f})"


def program_table(records, program):
    lines = ["| arm | settings | rounds | collections | CPU per request | the same by GC's share | GC % | mean MiB | peak MiB | p99 |",
             "|" + "---|" * 10]
    by_share = blocks.cpu_by_share(blocks.work(records, program))
    names = list(dict.fromkeys(r["arm"] for r in records if r["program"] == program))
    for arm in sorted(names, key=lambda name: (name != blocks.DEFAULT, name)):
        its = [r for r in records if r["program"] == program and r["arm"] == arm]
        settings = " ".join(f"{k}={v}" for k, v in its[0]["settings"].items()) or "Go's own"
        label = ", ".join([arm, *its[0]["alsoOf"]])
        share = sum(blocks.share(r) * r["cpuSeconds"] for r in its) / sum(r["cpuSeconds"] for r in its)
        lines.append(f"| {label} | {settings} | {len(its)} | {blocks.cycles(records, program, arm)} | "
                     f"{'–' if arm == blocks.DEFAULT else change(ratio(records, program, arm, blocks.cpu))} | "
                     f"{'–' if arm == blocks.DEFAULT else change(ratio(records, program, arm, by_share))} | {100 * share:.1f} | "
                     f"{statistics.fmean(r['memory']['meanBytes'] for r in its) / MIB:.0f} | "
                     f"{max(r['memory']['peakBytes'] for r in its) / MIB:.0f} | "
                     f"{'–' if arm == blocks.DEFAULT else change(ratio(records, program, arm, lambda r: r['load']['p99Ms']))} |")
    return "\n".join(lines) + "\n"


def costs_of(arm, work):
    """(objective, by what, the cost of a record of a program) of an arm's objective."""
    by_share = lambda p: blocks.cpu_by_share(work[p])
    if arm.startswith("gopacer-throughput"):
        return (("Throughput", "CPU per request", lambda p: blocks.cpu), ("Throughput", "GC's share", by_share))
    return (("Balanced", "CPU per request", lambda p: blocks.priced(PRICE, blocks.cpu)),
            ("Balanced", "GC's share", lambda p: blocks.priced(PRICE, by_share(p))))


def shares(records, programs, arms, load, work):
    """Lines of the table: how much of the oracle's saving the arms get under a load, steady or changing."""
    least = goals.OF_ORACLE[load]
    lines = []
    for arm in arms if programs else ():
        for objective, by, cost in costs_of(arm, work):
            each = "; ".join(f"{p} {percent(share_of_oracle(records, [p], arm, cost))} (oracle: {oracle(records, p, cost(p))})" for p in programs)
            found = share_of_oracle(records, programs, arm, cost)
            met = goals.VERDICT[found[0] >= least if found else None]
            lines.append(f"| {arm} under a {load} load: share of the oracle's saving, objective {objective}, by {by} | {goals.at_least(least)} | "
                         f"{percent(found)} | {met} | {each} |")
    return lines


def document(records, command):
    measured = {r["program"] for r in records}
    programs = [p for p in BLOCK_PROGRAMS if p in measured]
    changing = [p for p in programs if BLOCK_PROGRAMS[p].rates]
    records = [one for p in programs for one in yardstick.adjusted([r for r in records if r["program"] == p], yardstick.BLOCKS)]
    work = {p: blocks.work(records, p) for p in programs}
    lines = ["# Lab: settings within one process", "", f"Written by `{command}`; do not edit. Each program runs once; `gopacer tune` changes "
             "its settings, block after block, and each round has a block of every arm in an order drawn anew. Intervals are 95 %. CPU per request is adjusted "
             "for how fast the machine's memory was in each block. By GC's share it is what it would be if all but collection took the same whatever the "
             "settings: a slower machine slows both, so that this tells more of the settings, and nothing of what they do to the rest. Under a changing "
             "load a round has a part at each rate, which count as if they had lasted as long. What gopacer advised at the lowest rate stays in force at all, "
             "but an arm that ends in -live has at each rate what gopacer advised there; the oracle is the best of what stays the same.", "",
             "| figure | goal | found | met | of it |", "|---|---|---|---|---|"]
    ours = list(tuners.ADVISED)
    lines += shares(records, [p for p in programs if p not in changing], ours, "steady", work)
    lines += shares(records, changing, [arm + end for arm in ours for end in ("", blocks.LIVE)], "changing", work)
    rows = predictions(records, programs)
    lines += errors("GC's share with Go's own settings, as estimated first", levels(records, programs))
    for what, said, came in (("GC's share, by profiles", 2, 3), ("GC's share, by the runtime's account and sweeping by profiles", 2, 4), ("peak memory", 5, 6)):
        lines += errors(f"the prediction of {what}", [(f"{row[0]} {row[1]}", row[said], row[came]) for row in rows])
    lines += accounts(records, programs)
    short = [f"{p} {arm} {blocks.cycles(records, p, arm)}" for p in programs for arm in dict.fromkeys(
        r["arm"] for r in records if r["program"] == p) if blocks.cycles(records, p, arm) < ENOUGH_CYCLES]
    lines += ["", f"Arms with fewer than {ENOUGH_CYCLES} collections: {', '.join(short) or 'none'}.", ""]
    for program in programs:
        lines += [f"## {program}", f"{BLOCK_PROGRAMS[program].what}; {' and '.join(map(str, BLOCK_PROGRAMS[program].rates or (BLOCK_PROGRAMS[program].rate,)))} requests a second, "
                  f"{BLOCK_PROGRAMS[program].limit // MIB} MiB{aged(records, program)}.", "", program_table(records, program)]
    return "\n".join(lines)
