#!/usr/bin/env python3
"""Records what the pacer of a real checkout service does, cycle by cycle, for the simulator to be compared with.

record_cycles.py CHECKOUT LOAD OUT.tsv [GOGC=200] [GOMEMLIMIT=400MiB] [GOMAXPROCS=2] [RATE=400] [SECONDS=40] [-- flags of checkout]

CHECKOUT and LOAD are the programs that tests/workloads/build.sh prints. The runtime tells each collection itself
(GODEBUG=gctrace=1,gcpacertrace=1); GC's CPU is taken from a CPU profile over the same time. The head of the file has what
was measured over the whole window, one "# name value" a line; then a collection a line, in bytes and milliseconds.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "decide"))
from record_series import API, PPROF, get, metrics, profile_shares  # noqa: E402

WARM_UP = 10
TRACE = re.compile(r"gc (\d+) @([\d.]+)s \d+%: ([\d.+]+) ms clock, [\d.]+\+([\d.]+)/([\d.]+)/([\d.]+)\+[\d.]+ ms cpu, "
                   r"\d+->\d+->(\d+) MB")
PACER = re.compile(r"pacer: (\d+)% CPU \(25 exp\.\) for (\d+)\+(\d+)\+(\d+) B work \((\d+) B exp\.\) in (\d+) B -> (\d+) B "
                   r"\(∆goal (-?\d+), cons/mark ([-+.e\d]+)\)")


def read_cycles(stream, cycles):
    pacer = None
    for line in stream:
        if found := PACER.search(line):
            pacer = found
        elif (found := TRACE.search(line)) and pacer:
            heap, stack, globals_, _, trigger, end, over, cons_mark = pacer.groups()[1:]
            marked = int(found[7])
            clock = sum(float(part) for part in found[3].split("+"))
            cycles.append((float(found[2]), clock, *(float(found[i]) for i in (4, 5, 6)), int(heap), int(stack), int(globals_),
                           int(trigger), int(end), int(end) - int(over), marked << 20, float(cons_mark)))
            pacer = None


def reading():
    own = metrics()
    with_labels = lambda name: sum(float(v) for k, v in own.items() if k.split("{")[0] == name)
    return {name: with_labels(name) for name in (
        "process_cpu_seconds_total", "process_resident_memory_bytes", "http_requests_total", "go_memstats_alloc_bytes_total",
        "go_memstats_next_gc_bytes", "go_memstats_sys_bytes", "go_memstats_heap_released_bytes", "go_memstats_heap_idle_bytes",
        "go_memstats_heap_alloc_bytes", "go_memstats_heap_inuse_bytes", "go_memstats_stack_inuse_bytes")}


def main():
    words, flags = sys.argv[1:], []
    if "--" in words:
        words, flags = words[:words.index("--")], words[words.index("--") + 1:]
    checkout, load, out = words[:3]
    options = dict(word.split("=", 1) for word in words[3:])
    seconds, rate = int(options.pop("SECONDS", "40")), options.pop("RATE", "400")
    options.setdefault("GOMAXPROCS", "2")
    environment = {**os.environ, **options, "GODEBUG": "gctrace=1,gcpacertrace=1"}
    service = subprocess.Popen([checkout, "--listen", API, "--pprof-listen", PPROF, "--admin-listen", "", "--drain", "0s", *flags],
                               env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    cycles = []
    reader = threading.Thread(target=read_cycles, args=(service.stderr, cycles))
    reader.start()
    begin = time.time()
    client = None
    try:
        for _ in range(600):
            try:
                get(API, "/readyz", 2)
                break
            except OSError:
                time.sleep(0.1)
        client = subprocess.Popen([load, "--target", f"http://{API}/checkout", "--carts", "--rate", rate, "--duration",
                                   f"{seconds + WARM_UP + 20}s", "--every", "0"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(WARM_UP)
        with tempfile.NamedTemporaryFile() as profile:
            profiler = subprocess.Popen(["curl", "-fsS", "-o", profile.name, f"http://{PPROF}/debug/pprof/profile?seconds={seconds}"])
            start, first = time.time(), reading()
            readings = [first]
            while time.time() < start + seconds:
                time.sleep(1)
                readings.append(reading())
            last, stop = readings[-1], time.time()
            profiler.wait()
            gc, total, stacks = profile_shares(profile.name)
            sweeping, _, _ = profile_shares(profile.name, "bgsweep")
    finally:
        for process in (client, service):
            if process and process.poll() is None:
                process.terminate()
                process.wait()
        reader.join()

    def rate_of(name):
        return (last[name] - first[name]) / (stop - start)

    def over_time(value):
        values = [value(one) for one in readings]
        return f"{sum(values) / len(values):.0f}", f"{max(values):.0f}"

    memory = {
        "goal_bytes": lambda one: one["go_memstats_next_gc_bytes"],
        "rss_bytes": lambda one: one["process_resident_memory_bytes"],
        "mapped_bytes": lambda one: one["go_memstats_sys_bytes"] - one["go_memstats_heap_released_bytes"],
        "non_heap_bytes": lambda one: one["go_memstats_sys_bytes"] - one["go_memstats_heap_idle_bytes"] - one["go_memstats_heap_alloc_bytes"],
        "stack_bytes": lambda one: one["go_memstats_stack_inuse_bytes"],
    }
    with open(out, "w", encoding="utf-8") as file:
        print(f"# settings {' '.join(f'{k}={v}' for k, v in sorted(options.items()))}", file=file)
        print(f"# flags {' '.join(flags)}", file=file)
        print(f"# seconds {stop - start:.2f}", file=file)
        print(f"# request_rate {rate_of('http_requests_total'):.2f}", file=file)
        print(f"# alloc_rate {rate_of('go_memstats_alloc_bytes_total'):.0f}", file=file)
        print(f"# cpu {rate_of('process_cpu_seconds_total'):.4f}", file=file)
        print(f"# profile {gc:.3f} {total:.3f} {stacks} {sweeping:.3f}", file=file)
        for name, value in memory.items():
            print(f"# {name} {' '.join(over_time(value))}", file=file)
        print("# begin\tmark_ms\tassist_ms\tbackground_ms\tidle_ms\theap_scan\tstack_scan\tglobals_scan\ttrigger\tend\tgoal\tmarked"
              "\tcons_mark", file=file)
        for cycle in cycles:
            if start - begin <= cycle[0] <= stop - begin:
                print("\t".join(f"{x:.6g}" if isinstance(x, float) else str(x) for x in cycle), file=file)


if __name__ == "__main__":
    # What was started is ended on the way out, also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
