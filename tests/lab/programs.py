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
