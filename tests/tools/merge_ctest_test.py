#!/usr/bin/env python3
"""Tests of tools/merge_ctest.py on trees written by hand, run by the real ctest."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
TOOL = TOOLS / "merge_ctest.py"


class MergeCtest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def tree(self, name, text):
        (self.root / name).mkdir()
        (self.root / name / "CTestTestfile.cmake").write_text(text)
        return str(self.root / name)

    def merge(self, *arguments, once_more=None):
        option = ["--once-more", once_more] if once_more else []
        return subprocess.run([sys.executable, TOOL, *option, self.root / "all", *arguments], capture_output=True, text=True)

    def ctest(self):
        return subprocess.run(["ctest", "--test-dir", self.root / "all"], capture_output=True, text=True)

    def test_runs_what_was_selected_of_each_tree_and_sums_it_up_once(self):
        one = self.tree("one", 'add_test(a "true")\nadd_test(b "false")\nset_tests_properties(b PROPERTIES LABELS cluster)\n')
        two = self.tree("two", 'add_test(a "false")\nadd_test(b "true")\nset_tests_properties(b PROPERTIES LABELS cluster)\n')
        merged = self.merge(f"{one}:-LE cluster", f"{two}:-L cluster")
        self.assertEqual((merged.returncode, merged.stdout), (0, "2\n"), merged.stderr)
        result = self.ctest()
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(result.stdout.count("100% tests passed, 0 tests failed out of 2"), 1, result.stdout)

    def test_keeps_what_a_test_says_of_itself(self):
        tree = self.tree("one", 'add_test(a "sh" "-c" "test \\"$COLOUR\\" = \'dark ]] blue;green\' && exit 3")\n'
                         'set_tests_properties(a PROPERTIES WILL_FAIL true ENVIRONMENT "COLOUR=dark ]] blue\\;green" LABELS "x;y")\n')
        self.assertEqual(self.merge(f"{tree}:").returncode, 0)
        self.assertIn("100% tests passed", self.ctest().stdout)
        labels = subprocess.run(["ctest", "--test-dir", self.root / "all", "-N", "-L", "y"], capture_output=True, text=True)
        self.assertIn("Total Tests: 1", labels.stdout)

    def test_keeps_an_argument_that_ends_in_a_bracket(self):
        tree = self.tree("one", 'add_test(a "test" "[1]" = "[1]")\nset_tests_properties(a PROPERTIES LABELS "[x]")\n')
        self.assertEqual(self.merge(f"{tree}:").returncode, 0)
        self.assertIn("100% tests passed", self.ctest().stdout)

    def test_fails_when_a_test_fails(self):
        tree = self.tree("one", 'add_test(a "false")\n')
        self.assertEqual(self.merge(f"{tree}:").returncode, 0)
        self.assertNotEqual(self.ctest().returncode, 0)

    def test_refuses_one_name_twice_and_no_tests_at_all(self):
        one, two = self.tree("one", 'add_test(a "true")\n'), self.tree("two", 'add_test(a "true")\n')
        self.assertIn("two tests are called a", self.merge(f"{one}:", f"{two}:").stderr)
        self.assertIn("no tests were found", self.merge(f"{one}:-R nothing").stderr)

    def test_refuses_a_test_whose_program_is_not_built(self):
        tree = self.tree("one", 'add_test(a "NOT_AVAILABLE/of_this_name")\n')
        result = self.merge(f"{tree}:")
        self.assertNotEqual((result.returncode, self.ctest().returncode), (0, 0))

    def run_as_test_sh_does(self):
        command = 'set -o pipefail; ctest --test-dir all --output-on-failure | "$0"/first_failures.sh all/first_failures'
        return subprocess.run(["bash", "-c", command, TOOLS], cwd=self.root, capture_output=True, text=True)

    def flaky(self, name, labels, failures=1):
        """A test that fails that many times, as googletest tells it."""
        runs = self.root / f"{name}.runs"
        told = "app_test.cpp:7: Failure\\n  too slow by chance\\n"
        script = (f'echo x >>{runs}; test $(wc -l <{runs}) -gt {failures} && echo fine || '
                  f'{{ printf \'{told}\'; exit 1; }}')
        return f'add_test({name} "sh" "-c" [==[{script}]==])\nset_tests_properties({name} PROPERTIES TIMEOUT 5 LABELS "{labels}")\n'

    def test_lets_only_tests_of_the_label_try_twice_and_tells_their_first_failure_before_the_summary(self):
        tree = self.tree("one", self.flaky("measured", "cluster;statistical") + self.flaky("exact", "cluster") + 'add_test(c "true")\n')
        self.assertEqual(self.merge(f"{tree}:", once_more="statistical").returncode, 0)
        result = self.run_as_test_sh_does()
        self.assertNotEqual(result.returncode, 0, "the exact one failed")
        told, summary, rest = result.stdout.partition("67% tests passed, 1 tests failed out of 3")
        self.assertTrue(summary, result.stdout)
        self.assertIn("repeated after a failure: measured\n    app_test.cpp:7: Failure\n      too slow by chance\n", told)
        self.assertNotIn("repeated after a failure: exact", told)
        self.assertIn("exact (Failed)", rest)

    def test_succeeds_when_the_second_attempt_does_and_forgets_the_failures_of_an_earlier_run(self):
        tree = self.tree("one", self.flaky("measured", "statistical"))
        for repeated in (True, False):
            self.assertEqual(self.merge(f"{tree}:", once_more="statistical").returncode, 0)
            result = self.run_as_test_sh_does()
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertEqual("repeated after a failure" in result.stdout, repeated, result.stdout)
            self.assertIn("100% tests passed, 0 tests failed out of 1", result.stdout)

    def test_fails_when_both_attempts_do(self):
        tree = self.tree("one", self.flaky("measured", "statistical", failures=2))
        self.merge(f"{tree}:", once_more="statistical")
        result = self.run_as_test_sh_does()
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("repeated after a failure: measured", result.stdout)

    def test_ends_an_attempt_whose_time_is_over(self):
        tree = self.tree("one", 'add_test(slow "sleep" "60")\nset_tests_properties(slow PROPERTIES TIMEOUT 1 LABELS statistical)\n')
        self.merge(f"{tree}:", once_more="statistical")
        result = self.run_as_test_sh_does()
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("no end after 1 s", result.stdout)


if __name__ == "__main__":
    unittest.main()
