#!/usr/bin/env python3
"""All that gopacer writes survives a real API server: nothing is refused, dropped or rounded on the way there and back.

gopacer keeps its memory in trials and profiles. The API server drops every field that the schema does not know, silently, so a
field that one side has and the other lacks would be forgotten at the next restart. CRDS_DOCUMENTS is the program built from
documents.cpp.
"""

import json
import os
import subprocess
import unittest

import harness
from harness import Server

NAMESPACE = "default"
API = f"/apis/gopacer.dev/v1alpha1/namespaces/{NAMESPACE}"
# Where gopacer writes null, a merge patch removes what was there before.
STRICT = "?fieldValidation=Strict"


def setUpModule():
    harness.start_api_server()
    harness.install_crds()


def documents(command, stdin=None):
    result = subprocess.run([os.environ["CRDS_DOCUMENTS"], command], input=stdin and json.dumps(stdin), capture_output=True,
                            text=True, check=True, timeout=30)
    return json.loads(result.stdout)


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


class State(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.written = documents("write")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def create(self, kind, thing):
        thing["metadata"]["namespace"] = NAMESPACE
        # Nobody is there who would let a deleted one go.
        thing["metadata"].pop("finalizers", None)
        status, answer = self.server.send("POST", f"{API}/{kind}{STRICT}", thing)
        self.assertEqual(status, 201, answer.get("message"))
        path = f"{API}/{kind}/{thing['metadata']['name']}"
        self.addCleanup(self.server.send, "DELETE", path)
        return path, answer

    def patch_status(self, path, state):
        status, answer = self.server.send("PATCH", f"{path}/status{STRICT}", {"status": state}, "application/merge-patch+json")
        self.assertEqual(status, 200, answer.get("message"))
        return answer

    def test_a_trial_comes_back_as_it_was_written(self):
        path, kept = self.create("goruntimetrials", self.written["trial"])
        self.assertEqual(kept["spec"], self.written["trial"]["spec"])
        kept = self.patch_status(path, self.written["trialStatus"])
        self.assertEqual(kept["status"], self.written["trialStatus"])
        read = documents("read-trial", self.server.send("GET", path)[1])
        self.assertEqual(read["spec"], self.written["trial"]["spec"])
        self.assertEqual(read["status"], self.written["trialStatus"])

    def test_a_new_trial_without_status_can_be_read(self):
        path, _ = self.create("goruntimetrials", self.written["trial"])
        read = documents("read-trial", self.server.send("GET", path)[1])
        self.assertEqual(read["status"]["phase"], "Pending")

    def test_a_profiles_memory_comes_back_as_it_was_written(self):
        state = self.written["profileStatus"]
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
        path, _ = self.create("goruntimeprofiles", {
            "apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeProfile", "metadata": {"name": "checkout"},
            "spec": {"targetRef": target}})
        kept = self.patch_status(path, state)
        self.assertEqual(kept["status"], without_nulls(state))
        read = documents("read-profile", self.server.send("GET", path)[1])
        for field in ("trialCount", "activeTrial", "applied", "puttingBack", "changes", "coolDownUntil",
                      "missedPredictions", "retried", "marking"):
            self.assertEqual(read[field], state[field], field)
        self.assertEqual(read["bannedRegions"], len(state["bannedRegions"]))
        self.assertEqual(read["conditions"], len(state["conditions"]))

    def test_every_profile_that_is_admitted_can_be_read(self):
        import admission_test

        for name, spec in admission_test.ACCEPTED:
            with self.subTest(name):
                status, answer = self.server.send("POST", f"{API}/goruntimeprofiles{STRICT}&dryRun=All", admission_test.profile(spec))
                self.assertEqual(status, 201, answer.get("message"))
                self.assertNotIn("error", documents("read-profile", answer))


if __name__ == "__main__":
    unittest.main(verbosity=2)
