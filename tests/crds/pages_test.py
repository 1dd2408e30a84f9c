#!/usr/bin/env python3
"""Every reason that gopacer can give is in docs/troubleshooting.md, and none that it cannot give; likewise its metrics and steps. The
pages' links lead somewhere, and names of bounds are in the files that they are said to be in. Needs no cluster."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where reasons of conditions, trials and events come from.
SOURCES = ["record/profile_status.cpp", "record/recorder.cpp", "../include/gopacer/domain/episodes.h", "../include/gopacer/policy/rules.h", "policy", "rollout", "decide", "judge"]
# Capitalized words in these files that are no reasons: kinds, words of enumerations, names of steps and of actions.
NO_REASONS = {
    "Deployment", "True", "False", "GCCPUFraction", "Trial", "Tuned", "Change", "Keep", "Refuse", "Hold", "End", "Revert", "RunCanary",
    "RetireCanary", "StartTrial", "NoteTrial", "ForgetTrial", "TrialForgotten", "TrialNoted", "BegunAnew", "Failed", "Succeeded", "ReplicaSet",
    "Evicted", "Pending", "StatefulSet", "Mi", "Promoting", "PutBack", "Recommend", "Observe", "ProfileGone", "TrialEnded", "RollingBack", "Running",
}


def reasons():
    found = {}
    for source in SOURCES:
        path = ROOT / "operator" / source
        for file in sorted(path.glob("*.cpp")) if path.is_dir() else [path]:
            for word in re.findall(r'"([A-Z][A-Za-z]*[a-z][A-Za-z]*)"', file.read_text()):
                found.setdefault(word, file.relative_to(ROOT))
    return {word: file for word, file in found.items() if word not in NO_REASONS}


class Pages(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs/troubleshooting.md").read_text()

    def test_every_reason_is_explained(self):
        known = reasons()
        self.assertGreater(len(known), 50, "the sources were not found or not understood")
        for word, file in sorted(known.items()):
            with self.subTest(word):
                self.assertTrue(f"`{word}`" in self.page, f"{file} gives the reason {word}: say in docs/troubleshooting.md what to do")

    def test_no_reason_is_made_up(self):
        known = set(reasons()) | NO_REASONS
        named = set(re.findall(r"^\| (?:`\w+` )?\|? ?`([A-Z][A-Za-z]*[a-z][A-Za-z]*)`", self.page, re.MULTILINE))
        self.assertGreater(len(named), 30)
        verdicts = {"Inconclusive", "Superseded", "Aborted", "RollBack"}
        self.assertEqual(named - known - verdicts, set())

    def test_every_metric_is_explained_and_none_is_made_up(self):
        sources = ("operator/record/operator_metrics.cpp", "operator/cli/agent_metrics.cpp")
        given = {name for source in sources for name in re.findall(r'"(gopacer_\w+)"', (ROOT / source).read_text())}
        self.assertGreater(len(given), 5)
        self.assertEqual(given, set(re.findall(r"^\| `(gopacer_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)))

    def test_every_step_is_a_label_that_is_explained(self):
        steps = set(re.findall(r'return "(\w+)"', (ROOT / "operator/rollout/advance.cpp").read_text().partition("to_string(StepKind kind)")[2]))
        self.assertIn("Hold", steps)
        [row] = re.findall(r"^\| `gopacer_steps_total` .*$", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
        self.assertEqual(steps - {"Hold"}, set(re.findall(r"`([A-Z]\w+)`", row)))

    def test_bounds_are_in_the_files_that_are_named(self):
        page = ROOT / "docs/architecture.md"
        named = re.findall(r"((?:`\w+`(?:, )?)+) in \[[^\]]+\]\(([^)]+)\)", page.read_text())
        self.assertGreater(len(named), 15)
        for names, file in named:
            text = (page.parent / file).read_text()
            for name in re.findall(r"`(\w+)`", names):
                self.assertRegex(text, rf"\b{name}\b", f"docs/architecture.md looks for {name} in {file}")

    def test_links_between_pages_lead_somewhere(self):
        links = 0
        for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
            for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text()):
                links += 1
                self.assertTrue((page.parent / link).exists(), f"{page.name} links to {link}, which is not there")
        self.assertGreater(links, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
