#!/usr/bin/env python3
"""What helm makes of charts/gopacer, and what a real API server makes of that.

Starts an API server of its own, like admission_test.py. Nothing is scheduled, so no image is needed.
"""

import json
import os
import re
import unittest

import harness
from harness import ROOT, attempt, kubectl

CHART = str(ROOT / "charts/gopacer")
# Without a server to ask, helm takes the version that it was built with.
TEMPLATE = ["template", CHART, "--kube-version", "1.29.0"]
NAMESPACE = f"gopacer-{os.getpid()}"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:gopacer"


def setUpModule():
    harness.start_api_server()
    unittest.addModuleCleanup(lambda: attempt("helm", "uninstall", "gopacer", "-n", NAMESPACE))
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    install()


def helm(*arguments):
    status, output, messages = attempt("helm", *arguments)
    if status != 0:
        raise AssertionError(f"helm {' '.join(arguments)}: {messages}")
    return output


def install(*values):
    helm("upgrade", "--install", "gopacer", CHART, "-n", NAMESPACE, "--reset-values", *values)


def live(kind, name="gopacer"):
    return json.loads(kubectl("-n", NAMESPACE, "get", kind, name, "-o", "json"))


class Chart(unittest.TestCase):
    def test_lint(self):
        self.assertIn("0 chart(s) failed", helm("lint", "--strict", CHART))

    def test_values_are_checked(self):
        for value, expected in (
            ("replicas=-1", "replicas"),
            ("logLevel=loud", "logLevel"),
            ("ports.metrics=80", "ports"),  # a port below 1024 needs a capability that the pod does not have
            ("image.pullPolicy=Often", "pullPolicy"),
            ("watchNamespace=Not_A_Namespace", "watchNamespace"),
            ("kubelet.insecureSkipVerfy=true", "insecureSkipVerfy"),
            ("replicaCount=2", "replicaCount"),
        ):
            with self.subTest(value):
                status, _, messages = attempt("helm", *TEMPLATE, "--set", value)
                self.assertNotEqual(status, 0, "it was accepted")
                self.assertIn(expected, messages)

    def test_every_value_is_in_the_schema(self):
        schema = json.loads((ROOT / "charts/gopacer/values.schema.json").read_text())
        names = re.findall(r"^(\w+):", (ROOT / "charts/gopacer/values.yaml").read_text(), re.MULTILINE)
        self.assertGreater(len(names), 10)
        self.assertEqual(set(names) - set(schema["properties"]), set())

    def test_the_operators_pod_passes_the_restricted_standard(self):
        # Namespaces check pods, and only warn about Deployments.
        template = live("deployment")["spec"]["template"]
        template["spec"].pop("serviceAccountName")  # its token needs a controller that does not run here
        template["spec"].pop("serviceAccount", None)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "labels": template["metadata"]["labels"]},
               "spec": template["spec"]}
        kubectl("-n", NAMESPACE, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        container = template["spec"]["containers"][0]
        self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
        self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
        container["securityContext"].pop("capabilities")
        status, _, messages = attempt("kubectl", "-n", NAMESPACE, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        self.assertNotEqual(status, 0, "the namespace does not enforce anything, so this test proves nothing")
        self.assertIn("violates PodSecurity", messages)

    def test_the_command_line(self):
        arguments = live("deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        self.assertEqual(arguments, [
            "operator", "--metrics-port=8080", "--health-port=8081", "--log-level=info", "--workers=2", "--leader-elect=true",
            "--lease-namespace=$(POD_NAMESPACE)", "--kubelet-account=gopacer-kubelet", "--kubelet-insecure=false"])
        text = helm(*TEMPLATE, "--set", "kubelet.insecureSkipVerify=true", "--set", "kubelet.ca.configMap=kubelet-ca",
                    "--set", "watchNamespace=shop", "--set", "image.tag=dev")
        for part in ("--kubelet-insecure=true", "--kubelet-ca-file=/etc/gopacer/kubelet-ca/ca.crt", "--watch-namespace=shop",
                     "image: \"localhost/gopacer:dev\"", "configMap: {name: kubelet-ca}"):
            self.assertIn(part, text)

    def may(self, verb, resource, namespace="default", name="", account=ACCOUNT):
        # "nodes/proxy" as one word would ask about a node called proxy.
        resource, _, subresource = resource.partition("/")
        _, answer, messages = attempt("kubectl", "auth", "can-i", verb, f"{resource}/{name}" if name else resource,
                                      f"--subresource={subresource}", "--as", account, "-n", namespace)
        self.assertIn(answer.strip(), ("yes", "no"), messages)
        self.assertNotIn("doesn't have a resource type", messages)
        return answer.strip() == "yes"

    def test_rights_are_those_that_the_work_needs(self):
        for verb, resource in (
            ("watch", "goruntimeprofiles.gopacer.dev"), ("patch", "goruntimeprofiles.gopacer.dev/status"),
            ("create", "goruntimetrials.gopacer.dev"), ("delete", "goruntimetrials.gopacer.dev"),
            ("patch", "goruntimetrials.gopacer.dev/status"), ("update", "goruntimetrials.gopacer.dev/finalizers"),
            ("patch", "deployments.apps"), ("create", "deployments.apps"), ("delete", "deployments.apps"),
            ("watch", "pods"), ("watch", "horizontalpodautoscalers.autoscaling"), ("watch", "nodes"),
            ("create", "events.events.k8s.io"),
        ):
            with self.subTest(f"{verb} {resource}"):
                self.assertTrue(self.may(verb, resource))
        for verb in ("get", "create", "update", "patch"):
            with self.subTest(f"{verb} leases"):
                self.assertTrue(self.may(verb, "leases.coordination.k8s.io", NAMESPACE))

    def test_rights_end_there(self):
        for verb, resource in (
            ("get", "secrets"), ("list", "secrets"), ("get", "configmaps"), ("create", "pods"), ("delete", "pods"),
            ("create", "pods/exec"), ("get", "pods/log"), ("get", "nodes/proxy"), ("create", "nodes/proxy"), ("get", "nodes/metrics"),
            ("patch", "nodes"), ("update", "deployments.apps/scale"), ("patch", "deployments.apps/scale"),
            ("patch", "statefulsets.apps"), ("create", "goruntimeprofiles.gopacer.dev"), ("delete", "goruntimeprofiles.gopacer.dev"),
            ("create", "serviceaccounts/token"), ("get", "customresourcedefinitions.apiextensions.k8s.io"),
            ("create", "clusterrolebindings.rbac.authorization.k8s.io"), ("get", "leases.coordination.k8s.io"),
        ):
            with self.subTest(f"{verb} {resource}"):
                self.assertFalse(self.may(verb, resource))

    def test_what_kubelets_see_opens_nothing_but_figures(self):
        kubelet = ACCOUNT + "-kubelet"
        self.assertTrue(self.may("get", "nodes/metrics", account=kubelet))
        for verb, resource in (
            ("get", "nodes"), ("get", "nodes/proxy"), ("list", "pods"), ("create", "deployments.apps"),
            ("get", "goruntimeprofiles.gopacer.dev"), ("create", "serviceaccounts/token"), ("get", "leases.coordination.k8s.io"),
        ):
            with self.subTest(f"{verb} {resource}"):
                self.assertFalse(self.may(verb, resource, NAMESPACE, account=kubelet))

    def test_the_operator_makes_tokens_of_that_account_and_of_no_other(self):
        self.assertTrue(self.may("create", "serviceaccounts/token", NAMESPACE, name="gopacer-kubelet"))
        self.assertFalse(self.may("create", "serviceaccounts/token", NAMESPACE, name="gopacer"))
        self.assertFalse(self.may("create", "serviceaccounts/token", NAMESPACE))
        # As the operator does it, with its own rights.
        token = kubectl("-n", NAMESPACE, "create", "token", "gopacer-kubelet", "--duration=20m", "--as", ACCOUNT)
        self.assertGreater(len(token.strip()), 100)

    def test_no_rule_has_a_wildcard(self):
        rules = helm(*TEMPLATE, "--show-only", "templates/rbac.yaml")
        self.assertNotIn("*", rules)

    def test_one_namespace_only(self):
        kubectl("create", "namespace", f"{NAMESPACE}-shop")
        self.addCleanup(install)
        install("--set", f"watchNamespace={NAMESPACE}-shop")
        self.assertTrue(self.may("patch", "deployments.apps", f"{NAMESPACE}-shop"))
        self.assertFalse(self.may("patch", "deployments.apps", "default"))
        self.assertFalse(self.may("list", "pods", "default"))
        self.assertTrue(self.may("get", "nodes/metrics", account=ACCOUNT + "-kubelet"))

    def test_the_service_finds_the_metrics_port(self):
        service = live("service", "gopacer-metrics")
        template = live("deployment")["spec"]["template"]
        labels = template["metadata"]["labels"]
        self.assertEqual({k: labels.get(k) for k in service["spec"]["selector"]}, service["spec"]["selector"])
        ports = {p["name"]: p["containerPort"] for p in template["spec"]["containers"][0]["ports"]}
        self.assertEqual(ports[service["spec"]["ports"][0]["targetPort"]], 8080)

    def test_crds_come_with_the_chart(self):
        for plural in ("goruntimeprofiles", "goruntimetrials"):
            self.assertEqual(live("crd", f"{plural}.gopacer.dev")["spec"]["group"], "gopacer.dev")

    def test_z_uninstall_leaves_nothing_but_the_crds(self):
        helm("uninstall", "gopacer", "-n", NAMESPACE)
        self.addCleanup(install)
        left = kubectl("get", "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings", "-A",
                       "-l", "app.kubernetes.io/name=gopacer", "-o", "name")
        self.assertEqual(left.strip(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
