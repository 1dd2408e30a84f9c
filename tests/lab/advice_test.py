#!/usr/bin/env python3
"""Tests of how gopacer's advice becomes rollouts."""
import pathlib
import tempfile
import unittest

import advice


def document(gogc=None, limit=None, **more):
    return {"decision": "Change", "recommended": {"gogc": gogc, "goMemLimit": limit}, "predicted": {"gcCpuFraction": {"value": 0.05}}, **more}


class Settings(unittest.TestCase):
    def test_are_what_go_reads(self):
        self.assertEqual(advice.settings_of(document(250, "410MiB")), {"GOGC": "250", "GOMEMLIMIT": "410MiB"})
        self.assertEqual(advice.settings_of(document("off", "410MiB")), {"GOGC": "off", "GOMEMLIMIT": "410MiB"})

    def test_leave_out_what_is_not_recommended(self):
        self.assertEqual(advice.settings_of(document("150", None)), {"GOGC": "150"})
        self.assertEqual(advice.settings_of(document("150", "off")), {"GOGC": "150"})
        self.assertEqual(advice.settings_of({}), {})

    def test_must_be_go_syntax(self):
        for gogc, limit in (("many", None), (2.5, None), ("100", "4 apples"), ("100", "410Mib!")):
            with self.assertRaises(advice.AdviceError, msg=f"{gogc} {limit}"):
                advice.settings_of(document(gogc, limit))

    def test_are_the_same_when_they_mean_the_same(self):
        self.assertTrue(advice.same({}, {"GOGC": "100"}))
        self.assertTrue(advice.same({"GOGC": "200", "GOMEMLIMIT": "1GiB"}, {"GOGC": "200", "GOMEMLIMIT": "1024MiB"}))
        self.assertFalse(advice.same({"GOGC": "200"}, {"GOGC": "200", "GOMEMLIMIT": "1GiB"}))
        self.assertFalse(advice.same({"GOGC": "200"}, {"GOGC": "205"}))


class Session(unittest.TestCase):
    def test_rolls_out_until_nothing_changes(self):
        session = advice.Session()
        self.assertTrue(session.next_step(document(200, "400MiB")))
        self.assertTrue(session.next_step(document(300, "400MiB")))
        self.assertFalse(session.next_step(document(300, "400MiB")))
        self.assertEqual((session.rollouts, session.converged), (2, True))
        self.assertEqual(session.settings, {"GOGC": "300", "GOMEMLIMIT": "400MiB"})

    def test_keeps_the_default_where_nothing_is_recommended(self):
        session = advice.Session()
        self.assertFalse(session.next_step({"decision": "Keep", "recommended": {"gogc": "100", "goMemLimit": None}}))
        self.assertEqual((session.rollouts, session.converged, session.settings), (0, True, {}))

    def test_keeps_what_is_in_force_where_gopacer_wants_to_keep_it(self):
        session = advice.Session()
        session.next_step(document(200))
        self.assertFalse(session.next_step(document(230, decision="Keep")))
        self.assertEqual((session.rollouts, session.converged, session.settings), (1, True, {"GOGC": "200"}))

    def test_has_not_come_to_rest_where_gopacer_can_say_nothing(self):
        session = advice.Session()
        self.assertFalse(session.next_step({"decision": "NoData", "recommended": None, "predicted": None}))
        self.assertEqual((session.rollouts, session.converged, session.prediction()), (0, False, None))

    def test_ends_after_four_rollouts_without_having_come_to_rest(self):
        session = advice.Session()
        for gogc in (110, 120, 130, 140):
            self.assertTrue(session.next_step(document(gogc)))
        self.assertFalse(session.next_step(document(150)))
        self.assertEqual((session.rollouts, session.converged, session.settings), (4, False, {"GOGC": "140"}))

    def test_predicts_by_the_advice_that_brought_the_settings(self):
        session = advice.Session()
        for gogc, share in ((200, 0.10), (300, 0.07), (300, 0.06)):
            session.next_step({**document(gogc), "predicted": share})
        self.assertEqual(session.prediction(), 0.07)

    def test_predicts_by_the_only_advice_where_it_wanted_no_change(self):
        session = advice.Session()
        session.next_step({**document(100, decision="Keep"), "predicted": 0.2})
        self.assertEqual(session.prediction(), 0.2)


class OneRollout(unittest.TestCase):
    def test_is_what_one_advice_makes_of_the_default(self):
        found = advice.one_rollout(document(400, "454MiB"))
        self.assertEqual(found, {"settings": {"GOGC": "400", "GOMEMLIMIT": "454MiB"}, "rollouts": 1, "converged": False,
                                 "predicted": {"gcCpuFraction": {"value": 0.05}}})

    def test_stays_at_the_default_where_gopacer_does(self):
        self.assertEqual(advice.one_rollout(document(150, decision="Keep"))["settings"], {})


class Ask(unittest.TestCase):
    def program(self, text):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = pathlib.Path(directory.name, "gopacer")
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def ask(self, text):
        return advice.ask(self.program(text), 42, "127.0.0.1:1", 512 << 20, 2, "there")

    def test_takes_the_document_whatever_the_exit_code(self):
        answer = self.ask("""echo '{"recommended": {"gogc": 150}}'; exit 3""")
        self.assertEqual((answer["recommended"]["gogc"], answer["exitCode"]), (150, 3))

    def test_tells_the_program_what_to_look_at(self):
        answer = self.ask("""printf '{"arguments": "%s"}' "$*" """)
        self.assertIn("advise --url http://127.0.0.1:1/debug/pprof", answer["arguments"])
        self.assertIn(f"--pid 42 --limit {512 << 20} --for 2s --record there --max-gogc 800 -o json", answer["arguments"])

    def test_asks_again_from_what_was_read(self):
        answer = advice.ask_again(self.program("""printf '{"arguments": "%s"}' "$*" """), "there", "Throughput")
        self.assertEqual(answer["arguments"], "advise --samples there --objective Throughput --max-gogc 800 -o json")

    def test_says_why_there_is_none(self):
        with self.assertRaisesRegex(advice.AdviceError, "ended with 1: no such process"):
            self.ask("echo no such process >&2; exit 1")
        with self.assertRaises(advice.AdviceError):
            self.ask("echo '[]'")


if __name__ == "__main__":
    unittest.main()
