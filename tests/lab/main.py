#!/usr/bin/env python3
"""The lab: real Go programs under load with each tuner in turn. `./dev lab --help` has the options."""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile
import time

import blocks
import blocks_report
import plan
import trial
import tuners
from programs import BLOCK_PROGRAMS, PROGRAMS

QUICK = {"programs": "checkout,coredns", "tuners": "default,automemlimit-off,gctuner", "repetitions": 1, "seconds": 4, "warm": 3}


def names(text, known, what):
    chosen = [name for name in text.split(",") if name]
    for name in chosen:
        if name not in known:
            raise SystemExit(f"lab: no {what} {name!r}; there are {', '.join(known)}")
    return chosen


def read_arguments(argv):
    parser = argparse.ArgumentParser(prog="./dev lab", epilog="./dev lab --rollouts [--count N] [--seed S] [--json] [--verdicts] [--times] [--faults] runs whole rollouts in simulation instead.",
                                     description="Real Go programs under load with each tuner in turn, "
                                     "and a report of what that cost them.")
    parser.add_argument("--programs", help=f"with commas between; default: {','.join(PROGRAMS)}, by blocks all of "
                        f"{','.join(BLOCK_PROGRAMS)}")
    parser.add_argument("--tuners", default=",".join(tuners.CHOICES), help="with commas between; default: %(default)s")
    parser.add_argument("--scenarios", default="steady,changing", help="steady, changing (the rate times 3 and back; only "
                        "where a program has such a load); default: both")
    parser.add_argument("--repetitions", type=int, default=5, help="default: 5")
    parser.add_argument("--seconds", type=float, default=8, help="measured time of a trial; default: 8. "
                        "Under a changing load it is one and a half times as long")
    parser.add_argument("--warm", type=float, default=4, help="time under load before it; default: 4")
    parser.add_argument("--advise-seconds", type=int, default=40, help="time that gopacer looks at a program, at "
                        "least 20; default: 40")
    parser.add_argument("--blocks", action="store_true", help="settings within one process of each program, in place of a process "
                        "for each trial: writes blocks.md")
    parser.add_argument("--rounds", type=int, default=10, help="of blocks; default: 10")
    parser.add_argument("--block-seconds", type=float, default=6, help="about so long is a block; default: 6")
    parser.add_argument("--age", type=float, default=300, help="seconds under load before the first block; default: 300")
    parser.add_argument("--seed", type=int, default=1, help="of the order of trials; default: 1")
    parser.add_argument("--quick", action="store_true", help="a thin run: " + ", ".join(f"{k} {v}" for k, v in QUICK.items()))
    parser.add_argument("--resume", action="store_true", help="go on with the data that is there, where it stopped")
    parser.add_argument("--out", type=pathlib.Path, help="where the report goes; default: docs/lab, build/lab for a thin run")
    parser.add_argument("--report-only", action="store_true", help="draw the report again from the data that is there")
    parser.add_argument("--data-only", action="store_true", help="measure, and write no report")
    parser.add_argument("--binaries", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--gopacer", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--go-version", default="an unknown Go", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.quick:
        for name, value in QUICK.items():
            if getattr(options, name) == parser.get_default(name):
                setattr(options, name, value)
    known = BLOCK_PROGRAMS if options.blocks else PROGRAMS
    options.programs = list(known) if options.programs is None else names(options.programs, list(known), "program")
    options.tuners = names(options.tuners, tuners.CHOICES, "tuner")
    if "gopacer-throughput" in options.tuners and "gopacer" not in options.tuners:
        raise SystemExit("lab: gopacer-throughput takes its settings from trials of gopacer: add that to --tuners")
    options.scenarios = names(options.scenarios, ("steady", "changing"), "scenario")
    if options.quick and "changing" in options.scenarios:
        options.scenarios.remove("changing")
    for name, low, high in (("repetitions", 1, 100), ("seconds", 2, 600), ("warm", 2, 600), ("advise_seconds", 20, 600),
                            ("rounds", blocks.FEWEST_ROUNDS, 1000), ("age", 0, 3600), ("block_seconds", 2, 30)):
        if not low <= getattr(options, name) <= high:
            raise SystemExit(f"lab: --{name.replace('_', '-')} must be {low} to {high}")
    return options


def machine(options_text, go_version):
    """What the report says of the machine, kept beside the data."""
    cpu = "an unknown CPU"
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    return {"cpu": cpu, "kernel": platform.release(), "go": go_version, "options": options_text}


def read_records(path):
    """The trials of a file. The last line may be cut, where a run was."""
    records = []
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                print(f"lab: {path}: a line is cut; that trial is repeated", file=sys.stderr)
    return records


def as_line(record):
    return json.dumps(record, separators=(",", ":")) + "\n"


def rewrite(path, records):
    """Nothing is lost if this is cut."""
    whole = path.with_suffix(".new")
    whole.write_text("".join(map(as_line, records)))
    whole.replace(path)


def say(started, text):
    print(f"[{time.monotonic() - started:7.1f}s] {text}", file=sys.stderr, flush=True)


def line_of(record):
    if record.get("failure"):
        return record["failure"]
    return (f"{record['cpuPerRequestMs']:.4f} ms/request, p99 {record['load']['p99Ms']:.2f} ms, "
            f"{record['memory']['meanBytes'] / 2**20:.0f} MiB mean, {record['memory']['peakBytes'] / 2**20:.0f} peak, "
            f"GC {100 * record['profile'].get('gcSeconds', 0) / record['cpuSeconds']:.1f} %, {record['load']['errors']} errors"
            + (f", {record['rollouts']} rollouts to {record['settings']}" if "rollouts" in record else ""))


def run(options, data):
    """Adds what is missing to the data file."""
    started = time.monotonic()
    path = data / "trials.jsonl"
    records = read_records(path) if options.resume else []
    data.mkdir(parents=True, exist_ok=True)
    rewrite(path, records)
    text = (f"{options.repetitions} repetitions, {options.seconds:g} s each after {options.warm:g} s under load, "
            f"{options.advise_seconds} s for each advice, seed {options.seed}.")
    (data / "machine.json").write_text(json.dumps(machine(text, options.go_version), indent=1) + "\n")
    done = {(r["program"], r["scenario"], r["tuner"], r["repetition"]) for r in records}
    measured = {"steady": options.seconds, "changing": 1.5 * options.seconds}
    seconds = plan.total_seconds(options.programs, options.scenarios, options.tuners, options.repetitions, options.warm,
                                 measured, options.advise_seconds)
    say(started, f"lab: about {seconds / 60:.0f} minutes"
        + (f", less what {len(done)} trials of an earlier run have done" if done else ""))
    work = tempfile.mkdtemp(prefix="gopacer-lab-")
    os.sched_setaffinity(0, {trial.OTHER_CPU})
    bench = trial.Bench(options.binaries, {"load": options.binaries / "load", "gcshare": options.binaries / "gcshare",
                                           "gopacer": options.gopacer}, work,
                        options.warm, measured, options.advise_seconds)
    try:
        with open(path, "a") as out:
            for repetition in range(1, options.repetitions + 1):
                steps = plan.round_of(options.programs, options.scenarios, options.tuners, repetition,
                                      lambda scenario, program: plan.best_of_grid(records, scenario, program), options.seed)
                for number, step in enumerate(steps, 1):
                    if (step.program, step.scenario, step.tuner, step.repetition) in done:
                        continue
                    record = bench.run(step, plan.non_go(records, step.program), plan.advised_before(records, step))
                    records.append(record)
                    out.write(as_line(record))
                    out.flush()
                    say(started, f"{repetition}/{options.repetitions} {number}/{len(steps)} {step.program} {step.scenario} "
                        f"{step.tuner}: {line_of(record)}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return records


def run_blocks(options, data):
    started = time.monotonic()
    path = data / "blocks.jsonl"
    data.mkdir(parents=True, exist_ok=True)
    records = read_records(path) if options.resume else []
    wanted = blocks.missing(records, options.programs)
    records = [r for r in records if r["program"] not in wanted]
    rewrite(path, records)
    kept = dict.fromkeys(r["program"] for r in records)
    say(started, f"lab: measures {', '.join(wanted) or 'nothing'}" + (f", and keeps {', '.join(kept)}" if kept else ""))
    os.sched_setaffinity(0, {trial.OTHER_CPU})
    with tempfile.TemporaryDirectory(prefix="gopacer-lab-") as work, open(path, "a") as out:
        bench = trial.Bench(options.binaries, {"load": options.binaries / "load", "gcshare": options.binaries / "gcshare",
                                               "gopacer": options.gopacer}, work, options.warm, {}, options.advise_seconds)
        for name in wanted:
            for record in blocks.run(bench, name, options.rounds, options.block_seconds, options.age, options.seed):
                records.append(record)
                out.write(as_line(record))
                out.flush()
                say(started, f"{record['round']}/{options.rounds} {name} {record['arm']} {record['seconds']:.1f} s: {line_of(record)}")
    return records


def main(argv):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = read_arguments(argv)
    root = pathlib.Path(__file__).resolve().parents[2]
    out = options.out or root / ("build" if options.quick else "docs") / "lab"
    data = out / "data"
    if options.blocks:
        if options.gopacer is None and not options.report_only:
            raise SystemExit("lab: --blocks needs gopacer's program; tools/lab.sh builds it")
        records = read_records(data / "blocks.jsonl") if options.report_only else run_blocks(options, data)
        (out / "blocks.md").write_text(blocks_report.document(records, "./dev lab --blocks"))
        print(out / "blocks.md")
        return
    if options.report_only:
        records = read_records(data / "trials.jsonl")
    else:
        if options.gopacer is None and set(tuners.ADVISED) & set(options.tuners):
            raise SystemExit("lab: --tuners has gopacer, but its program is not there; tools/lab.sh builds it")
        records = run(options, data)
    if options.data_only:
        return
    import report  # needs matplotlib, which measuring does not
    report.write(records, out)
    print(out / "README.md")


if __name__ == "__main__":
    main(sys.argv[1:])
