#!/usr/bin/env python3
"""What a run of the demo makes in somebody's cluster and takes away again, on a real API server. No images are needed."""

import json
import subprocess
import unittest

import harness
from harness import ROOT, attempt, built, kubectl

CRDS = ("goruntimeprofiles.gopacer.dev", "goruntimetrials.gopacer.dev")
INSTALL = 'helm install "$release" charts/gopacer -n "$release_namespace" --skip-crds --set watchNamespace="$namespace" --set cleanup.onUninstall=false >/dev/null; '


def setUpModule():
    harness.start_api_server()


def demo(script, run="0000aaaa"):
    """Runs a piece of the demo as tools/demo.sh does."""
    preamble = f'''
        . tools/common.sh; . tools/demo_run.sh
        kubectl() {{ "{built("kubectl")}" "$@"; }}
        helm() {{ "{built("helm")}" "$@"; }}
        name_run {run}
    '''
    return subprocess.run(["bash", "-c", preamble + script], cwd=ROOT, env=harness.ENVIRONMENT, capture_output=True, text=True, timeout=120)


def there(kind, name, *arguments):
    """True when it is there and not on its way out: nothing here ends what is being deleted."""
    status, out, _ = attempt("kubectl", "get", kind, name, "-o", "json", *arguments)
    return status == 0 and "deletionTimestamp" not in json.loads(out)["metadata"]


class Demo(unittest.TestCase):
    def setUp(self):
        self.run_id = format(abs(hash(self.id())) % 2**32, "08x")
        self.shop = f"gopacer-demo-{self.run_id}"
        self.addCleanup(self.demo, "clear_place")

    def demo(self, script):
        return demo(script, self.run_id)

    def made(self, script="make_place; " + INSTALL):
        result = self.demo(script)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_it_made_is_gone_and_what_the_reader_had_is_there(self):
        kubectl("create", "namespace", "shop")
        kubectl("create", "namespace", "gopacer")
        kubectl("-n", "gopacer", "create", "configmap", "theirs")
        self.made()
        self.assertTrue(there("namespace", self.shop))
        self.assertTrue(there("deployment", self.shop, "-n", f"{self.shop}-operator"))
        self.made("clear_place")
        self.assertTrue(there("namespace", "shop"))
        self.assertTrue(there("configmap", "theirs", "-n", "gopacer"))
        self.assertFalse(there("namespace", self.shop))
        self.assertFalse(there("deployment", self.shop, "-n", f"{self.shop}-operator"))
        harness.eventually(lambda: self.run_id not in kubectl("get", "clusterroles,clusterrolebindings,crds", "--show-labels"))

    def test_definitions_that_were_there_stay(self):
        harness.install_crds()
        self.addCleanup(kubectl, "delete", "crd", *CRDS)
        self.made()
        self.made("clear_place")
        for crd in CRDS:
            self.assertTrue(there("crd", crd))

    def test_definitions_of_its_own_go_unless_somebody_uses_them_by_now(self):
        self.made()
        harness.eventually(lambda: all(harness.attempt("kubectl", "get", name)[0] == 0 for name in CRDS))
        profile = {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeProfile", "metadata": {"name": "theirs", "namespace": "default"},
                   "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}}}
        harness.eventually(lambda: attempt("kubectl", "create", "-f", "-", stdin=json.dumps(profile))[0] == 0)
        self.addCleanup(attempt, "kubectl", "delete", "crd", *CRDS)
        result = self.demo("clear_place")
        self.assertIn("the definition of goruntimeprofiles stays, because others use it", result.stderr)
        self.assertTrue(there("crd", CRDS[0]))
        self.assertFalse(there("crd", CRDS[1]))

    def test_a_namespace_of_its_name_is_refused_and_left_alone(self):
        kubectl("create", "namespace", self.shop)
        result = self.demo("make_place")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"namespace {self.shop} exists already and is not this run's", result.stderr)
        self.made("clear_place")
        self.assertTrue(there("namespace", self.shop))
        self.assertFalse(there("namespace", f"{self.shop}-operator"))

    def test_a_cluster_where_gopacer_works_is_refused(self):
        theirs = "gopacer-of-the-reader"
        kubectl("create", "namespace", theirs)
        self.addCleanup(attempt, "helm", "uninstall", "gopacer", "-n", theirs, "--no-hooks")
        self.assertEqual(attempt("helm", "install", "gopacer", str(ROOT / "charts/gopacer"), "-n", theirs, "--skip-crds")[0], 0)
        result = self.demo("make_place")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"gopacer is installed in this cluster already ({theirs}/gopacer)", result.stderr)
        self.made("clear_place")
        self.assertTrue(there("deployment", "gopacer", "-n", theirs))

    def test_each_run_has_names_of_its_own(self):
        names = {demo('name_run; echo "$namespace"', "").stdout for _ in range(3)}
        self.assertEqual(len(names), 3)


class TheScript(unittest.TestCase):
    def test_removes_by_label_only(self):
        script = (ROOT / "tools/demo.sh").read_text()
        for word in ("delete", "uninstall", "shop", "create namespace"):
            self.assertNotIn(word, script)


if __name__ == "__main__":
    unittest.main(verbosity=2)
