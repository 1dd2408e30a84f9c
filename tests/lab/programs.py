"""The programs under test: what they are given, and the load they get."""
import dataclasses

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    rate: float  # requests a second, a quarter to a half of one CPU with GOGC=100
    warm_rate: float  # in the warm-up
    limit: int  # of its memory, bytes
    what: str  # for the report
    procs: int = 1  # GOMAXPROCS; with more than one the program shares the load's CPU
    quota: float = 0  # CPUs that the kernel allows it; 0: all of them
    binary: str = ""  # where it is not the name
    load: str = ""  # the kind of load, where it is not the binary
    rates: tuple = ()  # of a load that changes between these; empty: it does not

    @property
    def executable(self):
        return self.binary or self.name


PROGRAMS = {p.name: p for p in (
    Program("checkout", 600, 1500, 512 * MIB, "prices carts: JSON over HTTP, 48 MiB of sessions full of pointers"),
    Program("caddy", 500, 800, 128 * MIB, "Caddy with 400 sites; each answer is rendered from a template"),
    Program("coredns", 7000, 11000, 192 * MIB, "CoreDNS with a zone of 50,000 records; questions over UDP"),
    Program("nats", 6000, 10000, 192 * MIB, "nats-server with a JetStream stream of 30,000 messages in memory; 3 of 4 requests "
            "publish and wait for the acknowledgement, the fourth reads"),
    Program("tsdb", 800, 1400, 256 * MIB, "Prometheus's storage with 24,000 series; 3 of 4 requests write 100 samples, the fourth "
            "is a range query"),
)}

# The changing load: one program, the rate times 3 and back, each for a third of the measured time.
CHANGING = {"checkout": (600, 1800, 600)}

# Measured by blocks only. The variants of checkout have less room and less load than it, since they share a CPU with the load.
BLOCK_PROGRAMS = {**PROGRAMS, **{p.name: p for p in (
    Program("checkout-2", 400, 800, 512 * MIB, "checkout with GOMAXPROCS=2", procs=2, binary="checkout"),
    Program("checkout-4", 400, 800, 512 * MIB, "checkout with GOMAXPROCS=4, and a quota of one CPU", procs=4, quota=1, binary="checkout"),
    Program("etcd", 500, 800, 256 * MIB, "etcd with 20,000 keys of 1 KiB in memory; 1 of 4 requests writes, the others read a range of 20"),
    Program("sqlite", 400, 700, 192 * MIB, "a cgo program: SQLite in memory behind HTTP, each answer is 50 rows as JSON, over 24 MiB of cached answers"),
    Program("checkout-older", 600, 1500, 512 * MIB, "checkout with the collector that Go had until 1.25 (GOEXPERIMENT=nogreenteagc)", load="checkout"),
    Program("checkout-go1.24", 600, 1500, 512 * MIB, "checkout built with Go 1.24.6", load="checkout"),
    Program("checkout-changing", 600, 1500, 512 * MIB, "checkout under a load that changes: a part of each round at one rate, another at three times as much",
            binary="checkout", rates=tuple(sorted(set(CHANGING["checkout"])))),
)}}
