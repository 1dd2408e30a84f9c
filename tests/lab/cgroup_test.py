#!/usr/bin/env python3
"""Tests of reading and making control groups, on files as both versions of the kernel's interface have them."""
import pathlib
import tempfile
import unittest
from unittest import mock

import cgroup


class Figures(unittest.TestCase):
    def test_version_1_counts_anonymous_and_kernel_memory(self):
        self.assertEqual(cgroup.anonymous_v1("cache 9000\nrss 5000\nmapped_file 7\n", "300\n"), 5300)

    def test_version_2_counts_anonymous_and_kernel_memory(self):
        self.assertEqual(cgroup.anonymous_v2("anon 5000\nfile 9000\nkernel 300\nslab 100\n"), 5300)

    def test_version_2_of_an_old_kernel_adds_up_the_parts(self):
        self.assertEqual(cgroup.anonymous_v2("anon 5000\nfile 9\nkernel_stack 10\npagetables 20\npercpu 5\nslab 100\n"), 5135)


class Make(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.enterContext(mock.patch("os.geteuid", return_value=0))

    def test_takes_version_1_where_the_root_has_no_controllers(self):
        group = cgroup.create("a", 1 << 20, self.root)
        memory = self.root / "memory" / cgroup.PARENT / "a"
        self.assertEqual((memory / "memory.limit_in_bytes").read_text(), str(1 << 20))
        (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
        self.assertEqual(group.oom_kills(), 2)
        (self.root / "cpuacct" / cgroup.PARENT / "a" / "cpuacct.usage").write_text("2500000000\n")
        self.assertEqual(group.cpu_seconds(), 2.5)
        self.assertEqual(len(group.entrances()), 3)

    def version_2(self):
        (self.root / "cgroup.controllers").write_text("cpu memory\n")
        (self.root / "cgroup.subtree_control").write_text("")
        (self.root / cgroup.PARENT).mkdir()
        (self.root / cgroup.PARENT / "cgroup.subtree_control").write_text("")

    def test_takes_version_2_where_it_has(self):
        self.version_2()
        group = cgroup.create("a", 1 << 20, self.root)
        self.assertEqual((self.root / "cgroup.subtree_control").read_text(), "+memory")  # the last of both
        directory = self.root / cgroup.PARENT / "a"
        self.assertEqual((directory / "memory.max").read_text(), str(1 << 20))
        (directory / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
        self.assertEqual(group.oom_kills(), 1)
        (directory / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
        self.assertEqual(group.cpu_seconds(), 1.5)

    def test_sets_no_limit_where_none_is_given(self):
        cgroup.create("a", root=self.root)
        self.assertFalse((self.root / "memory" / cgroup.PARENT / "a" / "memory.limit_in_bytes").exists())

    def test_says_what_stands_against_it(self):
        with mock.patch("os.geteuid", return_value=1000), self.assertRaisesRegex(PermissionError, "as root"):
            cgroup.create("a", 1, self.root)


if __name__ == "__main__":
    unittest.main()
