"""Writes the report: tables, drawings and text, all from the records."""
import datetime
import json

import goals
import plan
import plots
import stats
import tuners
import yardstick
from programs import CHANGING, PROGRAMS

MIB = 1 << 20


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def goals_table(rows):
    return table(("figure", "goal", "found (95 % interval)", "met", "of it"),
                 [(g.figure, g.goal, g.found, goals.VERDICT[g.met], g.note or "–") for g in rows])


def scaled(found, factor, digits):
    return "–" if found is None else f"{factor * found[0]:.{digits}f}"


def tuner_row(results, program, name):
    trials, good = results.trials(program, name), results.measured(program, name)
    cpu = results.median(program, name, "cpu")
    ratio = results.ratio(program, name, "default", "cpu") if name != "default" else None
    gogc = sorted({str(r["settings"].get("GOGC", "100")) for r in good})
    label = f"oracle: {', '.join(gogc)}" if name == "oracle" else name
    return (
        label, str(len(good)) + (f" of {len(trials)}" if len(good) < len(trials) else ""),
        "–" if cpu is None else f"{cpu[0]:.4f} ({cpu[1]:.4f} to {cpu[2]:.4f})",
        "–" if ratio is None else goals.interval(ratio, goals.change),
        scaled(results.median(program, name, "share"), 100, 1), scaled(results.median(program, name, "profile"), 100, 1),
        scaled(results.median(program, name, "duty"), 100, 1), scaled(results.median(program, name, "p50"), 1, 2),
        scaled(results.median(program, name, "p99"), 1, 2), scaled(results.median(program, name, "p999"), 1, 2),
        scaled(results.median(program, name, "mean"), 1 / MIB, 0), scaled(results.median(program, name, "peak"), 1 / MIB, 0),
        str(sum(r["oomKills"] for r in trials)), str(sum(r["load"]["errors"] for r in good)))


def summary(results):
    """All programs together: geometric means of the ratios to the default."""
    rows = []
    for name in results.tuners():
        if name == "default":
            continue
        found = [results.mean_ratio(name, "default", metric) for metric in ("cpu", "equalWork", "mean", "p99")]
        kills = sum(r["oomKills"] for p in results.programs for r in results.trials(p, name))
        rows.append((name, *("–" if one is None else goals.interval(one, goals.change) for one in found), str(kills)))
    return table(("tuner", "CPU per request", "by GC's share alone", "mean memory", "p99", "OOM kills"), rows)


TUNER_HEADER = ("tuner", "trials", "CPU ms per request", "to default", "GC %", "GC % (profile)", "marking %", "p50 ms", "p99 ms",
                "p99.9 ms", "mean MiB", "peak MiB", "OOM", "errors")


def program_section(results, program):
    limit = PROGRAMS[program].limit // MIB
    rates = CHANGING[program] if results.scenario == "changing" else (PROGRAMS[program].rate,)
    return (f"### {program}\n{PROGRAMS[program].what}. {' → '.join(map(str, rates))} requests a second, limit {limit} MiB.\n\n"
            + table(TUNER_HEADER, [tuner_row(results, program, name) for name in results.tuners() if results.trials(program, name)]))


def advice_table(records):
    errors = {(e["program"], e["tuner"], e["repetition"]): e for e in stats.prediction_errors(records)}
    rows = []
    for record in records:
        if not record.get("advice"):
            continue
        error = errors.get(stats.advice_of(record), {})

        def pair(name, factor, digits):
            if name not in error:
                return "–"
            return f"{factor * error[name]['predicted']:.{digits}f} / {factor * error[name]['measured']:.{digits}f}"

        last = record["advice"][-1]
        rows.append((
            record["program"], str(record["repetition"]), " → ".join(setting_text(document["inForce"]) for document in record["advice"]),
            str(record["rollouts"]), "yes" if record["converged"] else "**no**", pair("gcCpuFraction", 100, 1),
            pair("peakMemoryBytes", 1 / MIB, 0), f"{last['decision']}: {last.get('reason') or last.get('message', '')}"))
    return table(("program", "repetition", "settings", "rollouts", "at rest", "GC %: predicted / measured",
                  "peak MiB: predicted / measured", "last answer"), sorted(rows))


def setting_text(settings):
    return " ".join(filter(None, (settings.get("GOGC", "100"), settings.get("GOMEMLIMIT", "")))) if settings else "default"


def failures(records):
    rows = [(r["program"], r["scenario"], r["tuner"], str(r["repetition"]), r["failure"].replace("|", "/").replace("\n", " "))
            for r in records if r.get("failure")]
    return table(("program", "load", "tuner", "repetition", "what happened"), rows) if rows else "None.\n"


def lossy(results):
    """Where gopacer did worse than another tuner in CPU per request, beyond the noise."""
    lines = []
    for program in results.programs:
        for name in results.tuners():
            if name in (*tuners.ADVISED, "oracle"):
                continue
            ratio, memory = (results.ratio(program, "gopacer", name, metric) for metric in ("cpu", "mean"))
            if ratio and memory and ratio[1] > 1:
                lines.append(f"- {program}: {goals.interval(ratio, goals.change)} CPU per request against "
                             f"{name}, at {goals.percent(memory[0] - 1, True)} mean memory")
    return "\n".join(lines) + "\n" if lines else "Nowhere beyond the noise.\n"


def conditions(records, facts):
    fine = [r for r in records if not r.get("failure")]
    foreign = stats.quantile([r["foreignCpuSeconds"] / r["seconds"] for r in fine], 0.95) if fine else 0
    late = stats.quantile([r["load"]["senderLateMs"] for r in fine], 0.95) if fine else 0
    reads = [r["load"]["memoryReadNs"] for r in fine if r["load"].get("memoryReadNs")]
    memory = (f" A read of memory took {stats.quantile(reads, 0.5):.0f} ns, {stats.quantile(reads, 0.05):.0f} to {stats.quantile(reads, 0.95):.0f} in 90 % of "
              f"the trials; CPU per request followed it by the power {yardstick.slope(records):.1f}." if reads else "")
    begun = min((r["startedAt"] for r in records), default=0)
    return (
        f"{len(records)} trials from {datetime.datetime.fromtimestamp(begun, datetime.timezone.utc):%Y-%m-%d %H:%M} UTC on "
        f"{facts.get('cpu', 'an unknown CPU')}, Linux {facts.get('kernel', '?')}, {facts.get('go', 'Go')}. "
        f"{facts.get('options', '')}\n\n"
        f"By the kernel's ticks, which miss short bursts, others took at most {100 * foreign:.1f} % of the server's CPU in 95 % of the trials. The sender was at most {late:.1f} ms "
        f"late in 95 % of them. With more than a few per cent, or a few milliseconds, the figures below say little.{memory}\n")


IN_SIMULATION = """Kills in simulation over many seeds, and how far the simulator is from real processes, are in [Simulate](../simulate.md).
"""

HOW = f"""## How it was measured
- Each trial is a fresh process in a memory cgroup of its own, on one CPU; the load and the driver run on the other. GOMAXPROCS is 1.
- The load is open: requests are sent at random times at a fixed mean rate, whatever the answers do, and a latency counts from the time
  at which the request should have been sent. CPU per request is the cgroup's CPU time by the requests answered in the same time; it
  contains everything that the program does, the profiler and the in-process tuners too.
- Before it is measured, a program gets more load than later for a while, at least until a collection has ended, so that the first touch
  of the heap's pages is not charged to the tuners that let it grow.
- Memory is the cgroup's anonymous and kernel memory, read 20 times a second; the page cache is left out.
- GC % is the CPU time of the runtime's own account of each cycle (`GODEBUG=gctrace=1`: assists, background and idle marking) by the
  cgroup's CPU time; it leaves sweeping out. Beside it is the time that a CPU profile (250 samples a second) finds in
  gcBgMarkWorker, gcAssistAlloc and bgsweep, which is what gopacer predicts, by the same CPU time. Marking % is the share of the time in which a collection
  was marking.
- CPU per request is adjusted for the speed of memory: on a shared machine the neighbours change it by a tenth from one trial to the next. While a trial
  is measured, the load program times reads of memory that no cache holds; by how much CPU time follows them is read from trials of the same program with the same tuner
  (tests/lab/yardstick.py). The raw figure is in the data.
- "By GC's share alone" takes a request's own work to cost the same under all tuners: its CPU is then as 1/(1 − GC's share), which a single
  trial tells whatever the machine does meanwhile. What fewer collections do to caches is not in it. The oracle is then the point of the grid that is
  the best by this measure.
- Repetitions run one after the other, and within each, programs and tuners in a shuffled order. Figures are medians over the
  repetitions; intervals are 95 % bootstrap intervals. Over several programs: geometric means of the ratios of medians.
- gopacer starts from the default, and its advice is applied with a restart until it wants no change, at most 4 times. The
  advice is not part of the measured time. It is taken in repetitions 1 to {plan.ADVISED_REPETITIONS} under steady load; later repetitions
  measure in turn what these came to, and so do the trials under changing load.
- The strategies inside the process see the traffic that the program itself times. Their first tick is just before the
  measured time, the next ones every 5 s. heapUtil is HeapInuse / HeapSys.
- The oracle is the best of GOGC {', '.join(map(str, tuners.GRID))} with the safe memory limit: min(0.95·C, C − 1.1·nonGo) − max(3 %·C, nonGo/5 within 8 to 32 MiB) and at most 0.92·C − nonGo,
  C the container's limit, nonGo as the default's first trial showed it. Memory rule: no kill, and peak memory at most
  {100 * tuners.MOST_MEMORY:.0f} % of the limit. It is chosen by the least CPU per request in repetitions 1 to {plan.SHORT_REPETITIONS}, and measured by
  the later ones, so that its figure has no luck of the choice in it.

The raw data is in [data/trials.jsonl](data/trials.jsonl), a trial a line; `./dev lab --report-only` draws this page from it again.
"""


def write(records, out):
    out.mkdir(parents=True, exist_ok=True)
    facts_path = out / "data" / "machine.json"
    facts = json.loads(facts_path.read_text()) if facts_path.exists() else {}
    steady, changing = stats.Results(records, "steady"), stats.Results(records, "changing")
    parts = ["# Lab: tuners on real Go programs\n\nWritten by `./dev lab`; do not edit.\n", conditions(records, facts),
             "## Goals\n" + goals_table(goals.all_goals(steady, changing)), IN_SIMULATION]
    for results in (steady, changing):
        if not results.records:
            continue
        name = results.scenario
        plots.bars(results, "cpu", "CPU per request, % of default", out / f"cpu-{name}.svg")
        plots.bars(results, "mean", "mean memory, % of default", out / f"memory-{name}.svg")
        plots.bars(results, "p99", "p99, % of default", out / f"p99-{name}.svg")
        plots.frontier(results, out / f"frontier-{name}.svg")
        parts.append(f"## {name.capitalize()} load\n![CPU per request](cpu-{name}.svg)\n\n![Mean memory](memory-{name}.svg)\n\n"
                     f"![99th percentile](p99-{name}.svg)\n\n![CPU over memory](frontier-{name}.svg)\n")
        parts.append("### All programs, against the default\n" + summary(results))
        parts += [program_section(results, program) for program in results.programs]
        parts.append(f"### Where gopacer lost, {name} load\n" + lossy(results))
    if any(r["tuner"] == "gopacer" for r in records):
        drawn = plots.predictions(records, out / "predictions.svg")
        parts.append("## gopacer's advice\n" + ("![Predicted and measured](predictions.svg)\n\n" if drawn else "") + advice_table(records))
    parts.append("## Failed trials\n" + failures(records))
    parts.append("## Tuners\n" + table(("name", "what it does"), [(t.name, t.what) for t in tuners.TUNERS.values()
                                                              if t.name not in tuners.ORACLE]))
    parts.append(HOW)
    (out / "README.md").write_text("\n".join(parts))
