#!/usr/bin/env python3
"""Records what a real checkout service shows from outside, and what its runtime says itself, for the estimators' tests.

record_series.py CHECKOUT LOAD OUT.tsv [GOGC=200] [GOMEMLIMIT=400MiB] [RATE=200] [SECONDS=40]

CHECKOUT and LOAD are the programs that tests/workloads/build.sh prints. One line per reading; times are seconds since the
first. The truth is in the columns that begin with "true_": runtime/metrics' own live heap and GC CPU.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

API, PPROF = "127.0.0.1:18180", "127.0.0.1:16160"
TRAILER = ["TotalAlloc", "NumGC", "NumForcedGC", "NextGC", "HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "HeapSys",
           "Sys", "Stack", "GCCPUFraction"]


def get(address, path, timeout=60):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=timeout) as answer:
        return answer.read()


def trailer():
    text = get(PPROF, "/debug/pprof/heap?debug=1").decode()
    text = text[text.index("# runtime.MemStats"):]
    found = dict(re.findall(r"^# (\w+) = (.*)$", text, re.M))
    found["Stack"] = found["Stack"].split("/")[0].strip()
    ends = [int(x) for x in found["PauseEnd"].strip("[]").split()]
    newest = (int(found["NumGC"]) + 255) % 256
    ring = [ends[(newest - i) % 256] for i in range(255, -1, -1)]
    return found, [x for x in ring if x > 0]


def metrics():
    return dict(line.rsplit(" ", 1) for line in get(API, "/metrics").decode().splitlines() if line and line[0] != "#")


def profile_shares(path, functions="gcBgMarkWorker|gcAssistAlloc|bgsweep"):
    """The CPU seconds below some of the runtime's functions (all of GC's), all CPU seconds, and the number of stacks."""
    out = subprocess.run(["go", "tool", "pprof", "-traces", "-unit=ms", path], capture_output=True, text=True, check=True).stdout
    gc = total = 0.0
    for trace in out.split("-----------+")[1:]:
        value = re.search(r"^\s*([\d.]+)ms\s", trace, re.M)
        if not value:
            continue
        total += float(value[1])
        if re.search(rf"runtime\.({functions})\b", trace):
            gc += float(value[1])
    return gc / 1000, total / 1000, round(total / 10)


def main():
    checkout, load, out = sys.argv[1:4]
    options = dict(word.split("=", 1) for word in sys.argv[4:])
    seconds, rate = int(options.pop("SECONDS", "40")), options.pop("RATE", "200")
    environment = {**os.environ, "GOMAXPROCS": "2", **options}
    service = subprocess.Popen([checkout, "--listen", API, "--pprof-listen", PPROF, "--admin-listen", "",
                                "--all-runtime-metrics", "--drain", "0s"], env=environment, stderr=subprocess.DEVNULL)
    client = profiler = None
    try:
        for _ in range(300):
            try:
                get(API, "/readyz", 2)
                break
            except OSError:
                time.sleep(0.1)
        client = subprocess.Popen([load, "--target", f"http://{API}/checkout", "--carts", "--rate", rate, "--duration",
                                   f"{seconds + 40}s", "--every", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(8)
        with tempfile.NamedTemporaryFile() as profile:
            profiler = subprocess.Popen(["curl", "-fsS", "-o", profile.name,
                                         f"http://{PPROF}/debug/pprof/profile?seconds={seconds - 2}"])
            rows, start = [], None
            for _ in range(seconds // 2 + 1):
                now = time.time()
                start = start or now
                mem, ring = trailer()
                own = metrics()
                with open(f"/proc/{service.pid}/status") as status:
                    anon = int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) * 1024
                rows.append([f"{now - start:.3f}"] + [mem[name] for name in TRAILER] +
                            [own["process_cpu_seconds_total"], own["go_cpu_classes_gc_total_cpu_seconds_total"], str(anon),
                             own["go_gc_heap_live_bytes"], own["go_gc_heap_goal_bytes"],
                             ",".join(f"{x / 1e9 - start:.4f}" for x in ring if x / 1e9 > start)])
                time.sleep(max(0, start + 2 * len(rows) - time.time()))
            profiler.wait()
            gc, total, stacks = profile_shares(profile.name)
        with open(out, "w") as file:
            settings = " ".join(f"{k}={v}" for k, v in sorted(options.items()))
            print(f"# checkout, {rate} requests/s, GOMAXPROCS=2 {settings}", file=file)
            print(f"# profile\t{gc:.3f}\t{total:.3f}\t{stacks}\t{seconds - 2}", file=file)
            print("# " + "\t".join(["t"] + TRAILER + ["process_cpu", "true_gc_cpu", "rss_anon", "true_live", "true_goal",
                                                      "gc_ends"]), file=file)
            for row in rows:
                print("\t".join(row), file=file)
    finally:
        for process in (profiler, client, service):
            if process and process.poll() is None:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    # What was started is ended on the way out, also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
