"""The goals that the lab can answer, and what it found."""
import dataclasses
import statistics

import stats
import tuners

ENOUGH_DUTY = 0.01
BINDS = 0.8  # a memory limit binds where memory came closer to it than this share
NEAR = 1.10  # within 10 % of the optimum
SHARE = (0.15, 0.25)
OF_ORACLE = {"steady": 0.95, "changing": 0.90}  # of its saving, at least, by the load
VERDICT = {True: "yes", False: "**no**", None: "–"}


@dataclasses.dataclass
class Goal:
    figure: str
    goal: str
    found: str  # with its interval
    met: bool | None  # None: could not be measured
    note: str = ""


def percent(value, sign=False):
    return f"{100 * value:{'+' if sign else ''}.1f} %"


def at_least(share):
    return f"≥ {100 * share:g} %"


def change(ratio):
    return percent(ratio - 1, True)


def interval(found, show=percent):
    """Value and interval as text. `found` is (value, low, high)."""
    return f"{show(found[0])} ({show(found[1])} to {show(found[2])})"


def by_share(found, show=percent):
    """What the figure is if a request's own work is taken to cost the same under all tuners."""
    return f"by GC's share alone: {interval(found, show)}" if found else ""


def joined(*notes):
    return "; ".join(filter(None, notes))


def missing(figure, goal, why):
    return Goal(figure, goal, "not measured", None, why)


def share_goal(results, tuner):
    least = OF_ORACLE[results.scenario]
    figure, goal = f"share of the oracle's CPU saving, {results.scenario} load, objective {tuners.ADVISED[tuner]}", at_least(least)
    found = results.oracle_share(tuner)
    if found is None:
        return missing(figure, goal, "the tuner, the oracle and the default are needed, and the oracle must save something")
    each = []
    for program in results.programs:
        one = results.oracle_share(tuner, [program])
        saving = results.ratio(program, "oracle", "default", "cpu")
        if one and saving:
            each.append(f"{program} {percent(one[0])} of {percent(1 - saving[0])}"
                        + (" (the oracle's saving is within the noise)" if saving[2] >= 1 else ""))
    return Goal(figure, goal, interval(found), found[0] >= least,
                joined(by_share(results.oracle_share(tuner, metric="equalWork")), *each))


def against(results, name, label, most_cpu, least_memory):
    """Two rows: CPU per request at most so much above another tuner's, with so much less mean memory."""
    cpu, memory = results.mean_ratio("gopacer", name, "cpu"), results.mean_ratio("gopacer", name, "mean")
    equal = by_share(results.mean_ratio("gopacer", name, "equalWork"), change)
    rows = []
    for what, found, goal, met, note in (
            ("CPU per request", cpu, f"at most {percent(most_cpu, True)}", lambda f: f[0] <= 1 + most_cpu, equal),
            ("mean memory", memory, f"at most −{100 * least_memory:.0f} %", lambda f: f[0] <= 1 - least_memory, "")):
        figure = f"{what} against {label}"
        rows.append(missing(figure, goal, "both tuners are needed") if found is None else
                    Goal(figure, goal, interval(found, change), met(found), note))
    return rows


def limit_binds(results, program, tuner):
    """Whether the tuner's memory came near the limit in the middle of its trials."""
    trials = results.measured(program, tuner)
    return statistics.median(r["memory"]["peakBytes"] / r["limitBytes"] for r in trials) > BINDS


def against_automemlimit(results):
    figure, goal = "CPU per request against automemlimit where its limit does not bind", "−10 to −18 % at a GC share of 15 to 25 %"
    free = [p for p in results.programs if results.values(p, "automemlimit", "profile") and results.measured(p, "gopacer")
            and not limit_binds(results, p, "automemlimit")]
    if not free:
        return missing(figure, goal, "in no program were both measured with memory to spare")
    shares = {p: results.median(p, "automemlimit", "profile")[0] for p in free}
    inside = [p for p in free if SHARE[0] <= shares[p] <= SHARE[1]]
    each = []
    for program in free:
        ratio = results.ratio(program, "gopacer", "automemlimit", "cpu")
        each.append(f"{program} {interval(ratio, change)} at a GC share of {percent(shares[program])}")
    if not inside:
        found = results.mean_ratio("gopacer", "automemlimit", "cpu", free)
        return Goal(figure, goal, interval(found, change), None,
                    "no program has a GC share of 15 to 25 % under automemlimit; all without a binding limit: " + "; ".join(each))
    found = results.mean_ratio("gopacer", "automemlimit", "cpu", inside)
    equal = by_share(results.mean_ratio("gopacer", "automemlimit", "equalWork", inside), change)
    return Goal(figure, goal, interval(found, change), found[0] <= 0.90, joined(equal, *each))


def rollouts(results):
    figure, goal = "rollouts until within 10 % of the optimum", "≤ 2"
    trials = [r for r in results.records if r["tuner"] == "gopacer" and not r.get("failure")]
    if not any("advice" in r for r in trials):
        return missing(figure, goal, "gopacer was not measured")
    sessions = [r for r in trials if "advice" in r]  # the others measure again what one of these came to
    counts = [r["rollouts"] for r in sessions]
    near = total = 0
    for record in trials:
        best = results.median(record["program"], "oracle", "cpu") if results.best[record["program"]] else None
        if best:
            total += 1
            near += record["rollouts"] <= 2 and record["adjustedCpuMs"] <= NEAR * best[0]
    spread = ", ".join(f"{counts.count(n)} × {n}" for n in sorted(set(counts)))
    found = f"median {statistics.median(counts):g} ({spread})"
    if not total:
        return Goal(figure, goal, found, None, "the oracle was not measured")
    return Goal(figure, goal, found, near == total, f"{near} of {total} trials came within 10 % of the oracle's CPU with at most 2"
                + f"; {sum(not r['converged'] for r in sessions)} of {len(sessions)} times it did not come to rest within 4")


def predictions(results):
    rows = []
    errors = stats.prediction_errors(results.records)
    for name, figure, median_goal, p95_goal in (
            ("gcCpuFraction", "prediction of GC's CPU share", 0.10, 0.25),
            ("gcCpuFractionByTrace", "the same, measured by the runtime's account of each cycle", 0.10, 0.25),
            ("peakMemoryBytes", "prediction of peak memory", 0.10, None)):
        found = [abs(e[name]["error"]) for e in errors if name in e]
        goal = f"median error ≤ {100 * median_goal:.0f} %" + (f", p95 ≤ {100 * p95_goal:.0f} %" if p95_goal else "")
        if not found:
            rows.append(missing(figure, goal, "no advice has a prediction"))
            continue
        middle = stats.bootstrap({"": found}, lambda arms: statistics.median(arms[""]))
        high = stats.quantile(found, 0.95)
        within = [e[name]["within"] for e in errors if name in e]
        note = f"{len(found)} advices" + (f"; {sum(within)} of {len(within)} within the predicted interval" if within else "")
        rows.append(Goal(figure, goal, f"median {interval(middle)}, p95 {percent(high)}",
                         middle[0] <= median_goal and (p95_goal is None or high <= p95_goal), note))
    return rows


def latency(results):
    figure, goal = "p99 against the default where marking takes more than 1 % of the time", "−20 to −45 %"
    busy = []
    for program in results.programs:
        duty = results.median(program, "default", "duty")
        if duty and duty[0] > ENOUGH_DUTY and results.measured(program, "gopacer"):
            busy.append((program, duty[0]))
    if not busy:
        return missing(figure, goal, "in no program were both measured at such a duty")
    found = results.mean_ratio("gopacer", "default", "p99", [program for program, _ in busy])
    each = [f"{program} {interval(results.ratio(program, 'gopacer', 'default', 'p99'), change)} "
            f"at {percent(duty)}" for program, duty in busy]
    return Goal(figure, goal, interval(found, change), found[0] <= 0.80, "; ".join(each))


def safety(records):
    trials = [r for r in records if r["tuner"] in tuners.ADVISED]
    if not trials:
        return missing("OOM kills and failed trials under gopacer", "0", "gopacer was not run")
    kills, failures = sum(r["oomKills"] for r in trials), sum(bool(r.get("failure")) for r in trials)
    return Goal("OOM kills and failed trials under gopacer", "0", f"{kills} and {failures} of {len(trials)}", kills + failures == 0)


def all_goals(steady, changing):
    rows = [share_goal(steady, tuner) for tuner in tuners.ADVISED]
    if changing.records:
        rows += [share_goal(changing, tuner) for tuner in tuners.ADVISED]
    rows += against(steady, "automemlimit-off", "GOGC=off + 0.9", 0.03, 0.30)
    rows += against(steady, "gctuner", "gctuner 70 %", 0.02, 0.20)
    rows.append(against_automemlimit(steady))
    rows.append(rollouts(steady))
    rows += predictions(steady)
    rows.append(latency(steady))
    rows.append(safety(steady.records + changing.records))
    return rows
