"""Who sets GOGC and GOMEMLIMIT, and how."""
import dataclasses

from programs import MIB


@dataclasses.dataclass(frozen=True)
class Tuner:
    name: str
    what: str  # for the report
    inside: str = ""  # LAB_TUNER: the tuner inside the process
    environment: tuple = ()  # of (name, value)


def grid_tuner(gogc):
    return Tuner(f"grid-{gogc}", f"GOGC={gogc} with the safe GOMEMLIMIT")


GRID = (100, 200, 400, 800)

TUNERS = {t.name: t for t in (
    Tuner("default", "nothing set: GOGC=100, no GOMEMLIMIT"),
    Tuner("automemlimit", "automemlimit: GOMEMLIMIT = 0.9 of the cgroup's limit, GOGC=100", "automemlimit"),
    Tuner("automemlimit-off", "automemlimit 0.9 with GOGC=off", "automemlimit", (("GOGC", "off"),)),
    Tuner("gctuner", "bytedance's gctuner: GOGC so that the heap in use grows to 70 % of the limit, within 50 to 500", "gctuner"),
    Tuner("s2", "LatencyMemoryRate: clamp(15·(1+0.8·r)·(1+0.02·p), 10, 100), every 5 s", "s2"),
    Tuner("s8", "TwoFactor: 80·clamp(QPS/500, 0.3, 2)·max(0.5, 1−0.8·heapUtil), every 5 s", "s8"),
    Tuner("s14", "PauseFeedback: GOGC / clamp(mean of 3 pauses / 5 ms, 0.5, 2) within 25 to 200, every 5 s", "s14"),
    Tuner("gopacer", "gopacer advise (objective Balanced), applied with a restart until it wants no change"),
    Tuner("gopacer-throughput", "the same with --objective Throughput, from what gopacer's first advice had read: one restart"),
    *(grid_tuner(gogc) for gogc in GRID),
)}

ORACLE = tuple(f"grid-{gogc}" for gogc in GRID)
# What a person asks for; `oracle` stands for its grid.
CHOICES = tuple(name for name in TUNERS if name not in ORACLE) + ("oracle",)

# What gopacer advises, by its objective.
ADVISED = {"gopacer": "Balanced", "gopacer-throughput": "Throughput"}

# The memory rule: anonymous and kernel memory stay below this share of the limit, and nothing is killed.
MOST_MEMORY = 0.95


def safe_limit(container, non_go):
    """gopacer's own rule for GOMEMLIMIT, in bytes: min(0.95·C, C − 1.1·nonGo) − max(3 %·C, nonGo/5 within 8 to 32 MiB), and at most 0.92·C − nonGo; whole MiB.

    `non_go` is memory of the container that Go's runtime doesn't count."""
    margin = max(0.03 * container, min(32 * MIB, max(8 * MIB, non_go / 5)))
    return int(min(min(0.95 * container, container - 1.1 * non_go) - margin, 0.92 * container - non_go) // MIB) * MIB


def size(count):
    """Bytes in Go's own syntax."""
    return f"{count // MIB}MiB" if count % MIB == 0 else str(count)


def grid_environment(name, container, non_go):
    return {"GOGC": name.removeprefix("grid-"), "GOMEMLIMIT": size(safe_limit(container, non_go))}
