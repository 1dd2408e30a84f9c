#!/usr/bin/env python3
"""Tests of reading the runtime's lines about its collections."""
import unittest

import gctrace

LOG = """starting
gc 1 @0.012s 2%: 0.018+1.2+0.003 ms clock, 0.018+0.1/1.0/2.5+0.003 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 1 P
gc 2 @0.512s 2%: 0.5+10+0.5 ms clock, 0.5+1/2/3+0.5 ms cpu, 44->48->23 MB, 47 MB goal, 0 MB stacks, 0 MB globals, 1 P
a line of the program's own
gc 3 @0.9s 3%: 0.1+20+2.5 ms clock, 0.1+0/5/0+2.5 ms cpu, 44->48->23 MB, 47 MB goal, 0 MB stacks, 0 MB globals, 1 P (forced)
gc 4 @1.2s 3%: 0.1+2
"""


class Summary(unittest.TestCase):
    def test_adds_up_the_collections_of_the_window(self):
        self.assertEqual(gctrace.summary(LOG, 1, 3),
                         {"cycles": 2, "markSeconds": 0.03, "cpuSeconds": 0.0146, "longestStopSeconds": 0.0025})

    def test_leaves_out_what_lies_outside_or_is_cut(self):
        self.assertEqual(gctrace.summary(LOG, 0, 1)["cycles"], 1)
        self.assertEqual(gctrace.summary(LOG, 3, 9)["cycles"], 0)
        self.assertEqual(gctrace.summary("", 0, 9)["cpuSeconds"], 0)


if __name__ == "__main__":
    unittest.main()
