"""Records as trials write them, for tests."""
MIB = 1 << 20


def record(program="checkout", tuner="default", repetition=1, cpu=1.0, mean=100, peak=120, p99=5.0, share=0.2, **more):
    """A trial in which GC took `share` of the CPU; memory in MiB, CPU per request and latency in ms."""
    return {
        "program": program, "scenario": "steady", "tuner": tuner, "repetition": repetition, "settings": {}, "limitBytes": 512 * MIB,
        "rates": [600], "startedAt": 1, "loadAverage": 0.1, "oomKills": 0, "seconds": 7.0,
        "load": {"requests": 4200, "answered": 4200, "errors": 0, "p50Ms": p99 / 5, "p90Ms": p99 / 2, "p99Ms": p99, "p999Ms": 2 * p99,
                 "maxMs": 3 * p99, "senderLateMs": 0.2},
        "cpuSeconds": 4.2 * cpu, "cpuPerRequestMs": cpu, "foreignCpuSeconds": 0.0, "stolenCpuSeconds": 0.0,
        "memory": {"meanBytes": mean * MIB, "peakBytes": peak * MIB, "samples": 140},
        "profile": {"gcSeconds": 4.2 * cpu * share, "sweepSeconds": 0, "gcSamples": 400 * share, "samples": 400},
        "trace": {"cycles": 9, "markSeconds": 0.35, "cpuSeconds": 4.2 * cpu * share, "longestStopSeconds": 0.001},
        "runtime": {"nonGoBytes": 5 * MIB}, **more}


def failed(program="checkout", tuner="default", repetition=1, kills=0):
    return {"program": program, "scenario": "steady", "tuner": tuner, "repetition": repetition, "settings": {},
            "limitBytes": 512 * MIB, "rates": [600], "startedAt": 1, "loadAverage": 0.1, "oomKills": kills,
            "failure": "OutOfMemory: killed by the kernel"}
