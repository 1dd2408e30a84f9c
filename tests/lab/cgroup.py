"""A control group for one process: version 1 and version 2 of the kernel's interface.

What runs in one goes before everything else on the machine, so that others disturb a measurement less."""
import os
import pathlib
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
PARENT = "gopacer-lab"
PERIOD_US = 100_000  # the kernel's own default


def fields(text):
    """The numbers of a file with a name and a number on each line."""
    numbers = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            numbers[name] = int(value)
    return numbers


def anonymous_v1(stat, kernel):
    """What the process can't give back: anonymous memory and the kernel's on its behalf. The page cache is left out."""
    return fields(stat)["rss"] + int(kernel)


def anonymous_v2(stat):
    numbers = fields(stat)
    # `kernel` came with Linux 5.18; before it, its largest parts stand alone.
    kernel = numbers.get("kernel")
    if kernel is None:
        kernel = sum(numbers.get(name, 0) for name in ("slab", "kernel_stack", "pagetables", "percpu"))
    return numbers["anon"] + kernel


class Group:
    def remove(self, tries=100):
        """To be called once its process has ended. OSError if it stays busy."""
        for left in reversed(range(tries)):
            try:
                return self._rmdir()
            except OSError:  # the kernel is still taking the process out
                if not left:
                    raise
                time.sleep(0.02)


class GroupV1(Group):
    def __init__(self, name, limit, root=ROOT, quota=0):
        self.directories = {kind: root / kind / PARENT / name for kind in ("memory", "cpuacct", "cpu")}
        for directory in self.directories.values():
            directory.mkdir(parents=True)
        for directory in (self.directories["cpu"].parent, self.directories["cpu"]):
            (directory / "cpu.shares").write_text("200000")
        if limit:
            (self.directories["memory"] / "memory.limit_in_bytes").write_text(str(limit))
        if quota:
            (self.directories["cpu"] / "cpu.cfs_quota_us").write_text(str(int(quota * PERIOD_US)))

    def entrances(self):
        """The files that a process writes its id to, to move into the group."""
        return [directory / "cgroup.procs" for directory in self.directories.values()]

    def memory(self):
        directory = self.directories["memory"]
        return anonymous_v1((directory / "memory.stat").read_text(), (directory / "memory.kmem.usage_in_bytes").read_text())

    def oom_kills(self):
        return fields((self.directories["memory"] / "memory.oom_control").read_text()).get("oom_kill", 0)

    def cpu_seconds(self):
        return int((self.directories["cpuacct"] / "cpuacct.usage").read_text()) / 1e9

    def _rmdir(self):
        for directory in self.directories.values():
            if directory.exists():
                directory.rmdir()


class GroupV2(Group):
    def __init__(self, name, limit, root=ROOT, quota=0):
        parent = root / PARENT
        parent.mkdir(exist_ok=True)
        for above in (root, parent):
            self._enable(above)
        self.directory = parent / name
        self.directory.mkdir()
        for directory in (parent, self.directory):
            (directory / "cpu.weight").write_text("10000")
        if limit:
            (self.directory / "memory.max").write_text(str(limit))
            (self.directory / "memory.swap.max").write_text("0")
        if quota:
            (self.directory / "cpu.max").write_text(f"{int(quota * PERIOD_US)} {PERIOD_US}")

    @staticmethod
    def _enable(directory):
        wanted = {"cpu", "memory"} - set((directory / "cgroup.subtree_control").read_text().split())
        try:
            for controller in sorted(wanted):
                (directory / "cgroup.subtree_control").write_text("+" + controller)
        except OSError as error:
            raise OSError(f"cgroup {directory}: {', '.join(sorted(wanted))} can't be passed on ({error}); run the lab where the "
                          "root group holds no processes of a container") from error

    def entrances(self):
        return [self.directory / "cgroup.procs"]

    def memory(self):
        return anonymous_v2((self.directory / "memory.stat").read_text())

    def oom_kills(self):
        return fields((self.directory / "memory.events").read_text()).get("oom_kill", 0)

    def cpu_seconds(self):
        return fields((self.directory / "cpu.stat").read_text())["usage_usec"] / 1e6

    def _rmdir(self):
        self.directory.rmdir()


def entering(group, command):
    """The command, so that it moves itself into the group before anything of it runs."""
    enter = "".join(f"echo $$ >{entrance}; " for entrance in group.entrances())
    return ["sh", "-ec", enter + 'exec "$0" "$@"', *command]


def create(name, limit=None, root=ROOT, quota=0):
    """A new group whose memory is limited to `limit` bytes, or not at all, and its CPU time to `quota` CPUs, or not at all. OSError says what stands against it."""
    if os.geteuid() != 0:
        raise PermissionError("the lab puts each program into a cgroup of its own: run it as root")
    kind = GroupV2 if (root / "cgroup.controllers").exists() else GroupV1
    return kind(name, limit, root, quota)
