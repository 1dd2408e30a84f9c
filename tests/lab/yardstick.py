"""CPU time per request, adjusted for how fast the machine's memory was.

On a shared machine the neighbours slow memory down by a tenth and more, and every program with it. The load measures what a
read of memory takes meanwhile (programs/load/yardstick.go). How much a program follows it is read from trials of the same
program with the same tuner, so that no difference between tuners is in it."""
import math
import statistics

FEWEST = 20  # degrees of freedom for a slope


def logarithms(record):
    return math.log(record["load"]["memoryReadNs"]), math.log(record["cpuPerRequestMs"])


def measured(record):
    return not record.get("failure") and record["load"].get("memoryReadNs") and record["cpuPerRequestMs"] > 0


def groups(records, *names):
    found = {}
    for record in filter(measured, records):
        found.setdefault(tuple(record[name] for name in names), []).append(record)
    return found.values()


TRIALS = ("program", "scenario"), ("tuner",)
BLOCKS = ("program",), ("arm",)


def slope(records, kind=TRIALS):
    """By how much log(CPU per request) follows log(time of a read), within 0 and 4; 0 where too few trials tell. `kind`: the
    names of what is alike but for the setting, and of the setting."""
    freedom = products = squares = 0
    for trials in groups(records, *kind[0], *kind[1]):
        points = [logarithms(r) for r in trials]
        x, y = (statistics.fmean(values) for values in zip(*points))
        freedom += len(points) - 1
        products += sum((a - x) * (b - y) for a, b in points)
        squares += sum((a - x) ** 2 for a, _ in points)
    if freedom < FEWEST or not squares:
        return 0.0
    return min(4.0, max(0.0, products / squares))


def alike(record, kind):
    return tuple(record[name] for name in kind[0])


def adjusted(records, kind=TRIALS):
    """Copies of the records with `adjustedCpuMs`: what a request would have cost at the mean speed of memory over the trials
    of its program and load."""
    by = slope(records, kind)
    means = {}
    for trials in groups(records, *kind[0]):
        means[alike(trials[0], kind)] = statistics.fmean(logarithms(r)[0] for r in trials)
    found = []
    for record in records:
        if record.get("failure"):
            found.append(record)
            continue
        factor = math.exp(by * (means[alike(record, kind)] - logarithms(record)[0])) if measured(record) else 1
        found.append({**record, "adjustedCpuMs": record["cpuPerRequestMs"] * factor})
    return found
