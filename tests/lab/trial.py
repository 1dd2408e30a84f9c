"""One trial: a program with a tuner in a group of its own, under load, measured."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import advice
import cgroup
import gctrace
import tuners
from programs import CHANGING, PROGRAMS

SERVER_CPU, OTHER_CPU = 0, 1
START_TIMEOUT = 60
SAMPLE_EVERY = 0.05
SETTLE = 1.5  # of the warm-up, at the rate that is measured
MOST_EXTRA_WARM = 6


class TrialError(Exception):
    """The trial gave no figures: the program did not start, died, or was killed."""


class OutOfMemory(TrialError):
    """The kernel killed the program because its group was full."""


def get(url, timeout=10):
    """The body. OSError where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error


def cpu_busy_seconds(cpu):
    """Time that a CPU of this machine was busy, whoever used it, and time that the hypervisor withheld."""
    with open("/proc/stat") as stat:
        for line in stat:
            name, *values = line.split()
            if name == f"cpu{cpu}":
                user, nice, system, _, _, irq, softirq, steal = map(int, values[:8])
                hertz = os.sysconf("SC_CLK_TCK")
                return (user + nice + system + irq + softirq) / hertz, steal / hertz
    raise TrialError(f"/proc/stat has no cpu{cpu}: the lab needs two CPUs")


class Ports:
    """Addresses that no other lab process uses: each trial takes the next two, so that none waits for a socket to close."""
    first, count = 21000, 2000

    def __init__(self):
        self.next = os.getpid() * 2 % self.count

    def take(self):
        port = self.first + self.next
        self.next = (self.next + 2) % self.count
        return f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"


class MemorySampler:
    """Reads the group's memory again and again while it is entered (a context manager)."""

    def __init__(self, group):
        self.group, self.samples, self.stopping = group, [], threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopping.wait(SAMPLE_EVERY):
            with contextlib.suppress(OSError):
                self.samples.append(self.group.memory())

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def summary(self):
        if not self.samples:
            raise TrialError("the group's memory could not be read")
        return {"meanBytes": sum(self.samples) // len(self.samples), "peakBytes": max(self.samples), "samples": len(self.samples)}


class Server:
    """The program under test, from its start to its end."""

    def __init__(self, binary, tuner, environment, limit, addresses, work, procs=1, quota=0):
        self.address, self.debug = addresses
        self.out_of_memory = False
        self.group = cgroup.create(f"{os.getpid()}-{self.address.rpartition(':')[2]}", limit, quota=quota)
        cpus = [SERVER_CPU] if procs == 1 else [SERVER_CPU, OTHER_CPU]
        self.directory = tempfile.mkdtemp(dir=work)
        self.log = pathlib.Path(self.directory, "log")
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        data = os.path.join(self.directory, "data")
        os.mkdir(data)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                cgroup.entering(self.group, ["taskset", "-c", ",".join(map(str, cpus)), binary]), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=data, env={
                    **clean, **environment, "LAB_TUNER": tuner.inside, "LAB_LIMIT": str(limit), "LAB_LISTEN": self.address,
                    "LAB_DEBUG": self.debug, "LAB_DIR": data, "GODEBUG": "gctrace=1", "GOMAXPROCS": str(procs)})
        try:
            self._wait_until_ready()
        except BaseException:
            self.end()
            raise

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(OSError):
                get(f"http://{self.debug}/lab/ready", 2)
                return
            time.sleep(0.02)
        raise TrialError(f"not ready after {START_TIMEOUT} s: {self.last_words()}")

    def last_words(self):
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if not line.startswith("gc ")]
        return " | ".join(lines[-3:])[-500:] or "nothing in its log"

    def check(self):
        """TrialError if the program has ended."""
        code = self.process.poll()
        if code is None:
            return
        if self.group.oom_kills():
            raise OutOfMemory("killed by the kernel")
        raise TrialError(f"ended with {code}: {self.last_words()}")

    def stats(self):
        return json.loads(get(f"http://{self.debug}/lab/stats"))

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        else:
            self.out_of_memory = self.group.oom_kills() > 0
        self.process.wait()
        self.group.remove()
        shutil.rmtree(self.directory, ignore_errors=True)


class Load:
    """The load program; it sends from its start on."""

    def __init__(self, binary, program, address, rate):
        self.group = cgroup.create(f"{os.getpid()}-load")
        command = ["taskset", "-c", str(OTHER_CPU), binary, "--program", program, "--target", address, "--rate", str(rate)]
        self.process = subprocess.Popen(
            cgroup.entering(self.group, command),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
            # It must not be what is slow: several threads, so that the sender never waits for the others, and few collections.
            env={**os.environ, "GOMAXPROCS": "4", "GOGC": "400"})

    def tell(self, line):
        try:
            self.process.stdin.write(line + "\n")
        except OSError as error:
            raise TrialError(f"load ended: {self.process.stderr.read()[-300:]}") from error

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise TrialError(f"load ended: {self.process.stderr.read()[-300:]}")
        return line.strip()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        self.group.remove()


def change_rates(load, rates, seconds):
    """Tells the load its rates, each for an equal part of the time, and sleeps until the end."""
    for number, rate in enumerate(rates):
        if number:
            load.tell(f"rate {rate}")
        time.sleep(seconds / len(rates))


def measure(server, load, rates, seconds, tools):
    profile = {}

    def fetch_profile():
        try:
            body = get(f"http://{server.debug}/lab/profile?length={seconds}s", seconds + 20)
            path = os.path.join(server.directory, "profile")
            pathlib.Path(path).write_bytes(body)
            profile.update(json.loads(subprocess.run([tools["gcshare"], path], capture_output=True, check=True).stdout))
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            profile["error"] = str(error)

    load.tell(f"window {seconds}s")
    if load.hear() != "began":
        raise TrialError("load did not begin")
    sampler, fetcher = MemorySampler(server.group), threading.Thread(target=fetch_profile)
    before, cpu, busy, clock = server.stats(), server.group.cpu_seconds(), cpu_busy_seconds(SERVER_CPU), time.monotonic()
    fetcher.start()
    with sampler:
        change_rates(load, rates, seconds)
    cpu = server.group.cpu_seconds() - cpu
    clock = time.monotonic() - clock
    busy_after = cpu_busy_seconds(SERVER_CPU)
    server.check()
    after = server.stats()
    fetcher.join()
    figures = json.loads(load.hear())
    trace = gctrace.summary(server.log.read_text(errors="replace"), before["cycles"], after["cycles"])
    if not figures["requests"] or not figures["answered"]:
        raise TrialError(f"no request was answered: {figures.get('lastError', 'no reason')}")
    return {
        "seconds": round(clock, 3),
        "load": figures,
        "cpuSeconds": round(cpu, 4),
        "cpuPerRequestMs": round(1000 * cpu / figures["answered"], 6),
        # What others took of the server's CPU: near 0 on a quiet machine.
        "foreignCpuSeconds": round(max(0.0, busy_after[0] - busy[0] - cpu), 3),
        "stolenCpuSeconds": round(busy_after[1] - busy[1], 3),
        "memory": sampler.summary(),
        "profile": profile,
        "trace": trace,
        "runtime": {
            **{name: round(after[name] - before[name], 6) for name in (
                "gcCpuSeconds", "gcAssistSeconds", "gcIdleSeconds", "cycles", "forcedCycles", "allocBytes", "allocObjects")},
            **{name: after[name] for name in (
                "liveHeapBytes", "heapGoalBytes", "gogc", "goMemLimit", "mappedBytes", "releasedBytes", "limiterLastCycle",
                "gomaxprocs")},
            # Of the container's memory, what Go's runtime does not count.
            "nonGoBytes": max(0, server.group.memory() - int(after["mappedBytes"] - after["releasedBytes"])),
        },
    }


class Bench:
    """Runs trials. `tools` has the paths of load, gcshare and gopacer; `binaries` a directory with the programs."""

    def __init__(self, binaries, tools, work, warm, seconds, advise_seconds):
        """`seconds` is the measured time in each scenario."""
        self.binaries, self.tools, self.work = binaries, tools, work
        self.warm, self.seconds, self.advise_seconds = warm, seconds, advise_seconds
        self.ports = Ports()
        self.server = None  # the latest

    def run(self, step, non_go, advised):
        """The record of one trial, with `failure` where it gave no figures. It raises only if the lab itself is broken.

        `non_go` is what plan.non_go gives, `advised` what plan.advised_before does."""
        program, tuner = PROGRAMS[step.program], tuners.TUNERS[step.tuner]
        rates = CHANGING[program.name] if step.scenario == "changing" else (program.rate,)
        environment = dict(tuner.environment)
        if step.tuner in tuners.ORACLE:
            environment = tuners.grid_environment(step.tuner, program.limit, non_go)
        if advised:
            environment = advised["settings"]
        record = {**step.record(), "settings": environment, "limitBytes": program.limit, "rates": list(rates),
                  "startedAt": int(time.time()), "loadAverage": os.getloadavg()[0], "oomKills": 0}
        self.server = None
        try:
            with contextlib.ExitStack() as stack:
                server, load, ends = self.start(program, tuner, environment, rates)
                stack.push(ends)
                if step.tuner == "gopacer-throughput" and not advised:
                    raise advice.AdviceError("no trial of gopacer has an advice to take over")
                if advised:
                    record.update({name: advised[name] for name in ("rollouts", "converged", "predicted")},
                                  advisedInRepetition=advised["repetition"])
                elif step.tuner == "gopacer":
                    server, load = self._follow_advice(stack, program, tuner, rates, server, load, record)
                record.update(measure(server, load, rates, self.seconds[step.scenario], self.tools))
        except (TrialError, advice.AdviceError, OSError, ValueError) as error:
            # A program that is gone is first seen as a request that fails.
            killed = isinstance(error, OutOfMemory) or self.server is not None and self.server.out_of_memory
            record["failure"] = "OutOfMemory: killed by the kernel" if killed else f"{type(error).__name__}: {error}"
            record["oomKills"] = int(killed)
        return record

    def start(self, program, tuner, environment, rates):
        """A fresh server under load, warmed up, and what ends both.

        Most of the warm-up is at a higher rate, and lasts until a collection has ended: by then the heap has been as large as
        it gets. The first touch of its pages costs CPU that a service pays once, and a short trial would charge it to those
        tuners that let the heap grow."""
        stack = contextlib.ExitStack()
        with stack:
            server = Server(os.path.join(self.binaries, program.executable), tuner, environment, program.limit, self.ports.take(), self.work,
                            program.procs, program.quota)
            stack.callback(server.end)
            self.server = server
            cycles = server.stats()["cycles"]
            load = Load(self.tools["load"], program.load or program.executable, server.address, program.warm_rate)
            stack.callback(load.end)
            began = time.monotonic()
            while (elapsed := time.monotonic() - began) < self.warm - SETTLE or (
                    server.stats()["cycles"] == cycles and elapsed < self.warm - SETTLE + MOST_EXTRA_WARM):
                server.check()
                time.sleep(0.1)
            load.tell(f"rate {rates[0]}")
            time.sleep(SETTLE)
            server.check()
            return server, load, stack.pop_all()

    def _follow_advice(self, stack, program, tuner, rates, server, load, record):
        """Restarts the program as gopacer advises, until it wants no change, and once more, so that what is measured is as old
        as with any other tuner. The server and load to measure."""
        session = advice.Session()
        try:
            while session.next_step(self._ask(server, program, None if session.asked else record)):
                stack.close()
                server, load, ends = self.start(program, tuner, session.settings, rates)
                stack.push(ends)
        finally:
            record.update(session.outcome())
        stack.close()
        server, load, ends = self.start(program, tuner, session.settings, rates)
        stack.push(ends)
        return server, load

    def _ask(self, server, program, record):
        """What gopacer advises. Where `record` is given, it gets what the same readings mean under another objective."""
        recording = os.path.join(server.directory, "recording")
        document = advice.ask(self.tools["gopacer"], server.process.pid, server.debug, program.limit,
                              self.advise_seconds, recording, ("taskset", "-c", str(OTHER_CPU)))
        if record is not None:
            record["throughput"] = advice.one_rollout(advice.ask_again(self.tools["gopacer"], recording, tuners.ADVISED["gopacer-throughput"]))
        return document
