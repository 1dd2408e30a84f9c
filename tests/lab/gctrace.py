"""What the runtime says of each collection with GODEBUG=gctrace=1."""
import re

LINE = re.compile(
    r"^gc (?P<number>\d+) @[\d.]+s \d+%: "
    r"(?P<sweep>[\d.]+)\+(?P<mark>[\d.]+)\+(?P<end>[\d.]+) ms clock, "
    r"(?P<cpu_sweep>[\d.]+)\+(?P<assist>[\d.]+)/(?P<background>[\d.]+)/(?P<idle>[\d.]+)\+(?P<cpu_end>[\d.]+) ms cpu, ",
    re.MULTILINE)


def summary(log, after, until):
    """Sums over the collections numbered after+1 to until: count, wall-clock time of marking, CPU time and the longest
    stop, all in seconds. Collections that the log lacks (it may be cut) are left out of the count."""
    count, mark, cpu, stop = 0, 0.0, 0.0, 0.0
    for found in LINE.finditer(log):
        if not after < int(found["number"]) <= until:
            continue
        count += 1
        mark += float(found["mark"]) / 1000
        cpu += sum(float(found[name]) for name in ("cpu_sweep", "assist", "background", "idle", "cpu_end")) / 1000
        stop = max(stop, float(found["sweep"]) / 1000, float(found["end"]) / 1000)
    return {"cycles": count, "markSeconds": round(mark, 6), "cpuSeconds": round(cpu, 6), "longestStopSeconds": round(stop, 6)}
