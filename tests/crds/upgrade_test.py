#!/usr/bin/env python3
"""The upgrade that docs/install.md describes, from an older chart whose definitions were others, on a real API server.

before-policies.tgz is the chart as it was packaged before it had admission policies and before trials had bounds.
"""

import json
import shlex
import unittest

import harness
from harness import ROOT, attempt, kubectl

OLD = str(ROOT / "tests/crds/before-policies.tgz")
SHOP = "shop"


def setUpModule():
    harness.start_api_server()


def helm(*arguments):
    status, out, messages = attempt("helm", *arguments)
    if status != 0:
        raise AssertionError(f"helm {' '.join(arguments)}: {messages}")
    return out


def live(kind, name, namespace=SHOP):
    return json.loads(kubectl("-n", namespace, "get", kind, name, "-o", "json"))


def documented(page, heading):
    """The commands below a heading of the page, as a person would type them."""
    text = (ROOT / page).read_text().split(f"## {heading}\n", 1)[1].split("```\n", 2)[1]
    return [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines() if line]


class Upgrade(unittest.TestCase):
    def test_from_an_older_chart_keeps_everything_and_brings_the_new_definitions(self):
        helm("install", "gopacer", OLD, "-n", "gopacer", "--create-namespace", "--set", "image.tag=old", "--set", "logLevel=debug")
        kubectl("create", "namespace", SHOP)
        profile = {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeProfile", "metadata": {"name": "checkout", "namespace": SHOP},
                   "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}, "updatePolicy": {"updateMode": "Canary"}}}
        trial = {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeTrial", "metadata": {"name": "checkout-1", "namespace": SHOP}, "spec": {
            "profileRef": {"name": "checkout", "uid": "1"}, "targetRef": {"name": "checkout", "uid": "2"}, "container": "app", "number": 1,
            "from": {}, "to": {"gogc": "200"}, "canary": {"replicas": 1, "interval": "15s"}, "deadline": "2026-01-02T03:04:05Z"}}
        # The older definitions let anything be a trial.
        strange = {**trial, "metadata": {"name": "strange-1", "namespace": SHOP}, "spec": {**trial["spec"], "canary": {"replicas": 2147483647}}}
        for thing in (profile, trial, strange):
            harness.eventually(lambda thing=thing: attempt("kubectl", "create", "-f", "-", stdin=json.dumps(thing))[0] == 0)
        kubectl("-n", SHOP, "patch", "grt", "checkout-1", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Measuring","windows":3}}')
        before = [live("grp", "checkout"), live("grt", "checkout-1")]

        commands = documented("docs/install.md", "Upgrade")
        self.assertEqual([c[0] for c in commands], ["kubectl", "helm"])
        for program, *arguments in commands:
            paths = [str(ROOT / a) if a.startswith("charts/") else a for a in arguments]
            status, _, messages = attempt(program, *paths)
            self.assertEqual(status, 0, messages)

        schema = live("crd", "goruntimetrials.gopacer.dev")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        self.assertEqual(schema["properties"]["spec"]["properties"]["canary"]["properties"]["replicas"]["maximum"], 40)
        profile, trial = live("grp", "checkout"), live("grt", "checkout-1")
        # What is new since has its default.
        self.assertIs(profile["spec"]["canary"].pop("allowDuplicates"), False)
        self.assertIs(profile["spec"]["runtimeMetrics"].pop("allowHostNetwork"), False)
        self.assertIs(profile["spec"]["rollback"].pop("guard"), False)
        self.assertEqual(profile["spec"]["runtimeMetrics"].pop("source"), "Pages")
        self.assertEqual(profile["spec"]["updatePolicy"].pop("apply"), "Restart")
        self.assertEqual(profile["spec"]["objective"].pop("memoryPricePerGiBCores"), "0.083")
        self.assertEqual(trial["spec"]["targetRef"].pop("kind"), "Deployment")
        self.assertEqual([profile, trial], before)
        container = live("deployment", "gopacer", "gopacer")["spec"]["template"]["spec"]["containers"][0]
        self.assertIn("gopacer:NEW", container["image"])
        self.assertIn("--log-level=debug", container["args"], "a value that was set is forgotten")
        self.assertIn("--lease-name=gopacer", container["args"], "another lease than the old one's: both would work during the rollout")
        live("validatingadmissionpolicy", "gopacer-operator")
        # What the newer schema does not accept can still be deleted.
        kubectl("-n", SHOP, "delete", "grt", "strange-1")

        helm("rollback", "gopacer", "1", "-n", "gopacer")
        profile = live("grp", "checkout")
        profile["spec"]["canary"].pop("allowDuplicates", None)  # the definitions stay as they are
        profile["spec"]["runtimeMetrics"].pop("allowHostNetwork", None)
        profile["spec"]["rollback"].pop("guard", None)
        del profile["spec"]["runtimeMetrics"]["source"], profile["spec"]["updatePolicy"]["apply"]
        del profile["spec"]["objective"]["memoryPricePerGiBCores"]
        self.assertEqual(profile, before[0])
        self.assertNotEqual(attempt("kubectl", "get", "validatingadmissionpolicy", "gopacer-operator")[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
