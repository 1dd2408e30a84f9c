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
    unittest.addModuleCleanup(lambda: attempt("helm", "uninstall", "gopacer", "-n", NAMESPACE, "--no-hooks"))
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
            ("image.digest=sha256:abc", "digest"),
            ("excludedNamespaces={it's}", "excludedNamespaces"),  # it would end the text in an expression
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
            "--lease-namespace=$(POD_NAMESPACE)", "--lease-name=gopacer", "--kubelet-account=gopacer-kubelet", "--kubelet-insecure=false"])
        text = helm(*TEMPLATE, "--set", "kubelet.insecureSkipVerify=true", "--set", "kubelet.ca.configMap=kubelet-ca",
                    "--set", "watchNamespace=shop", "--set", "image.tag=dev", "--set", "prometheus.ca.configMap=prometheus-ca",
                    "--set", "prometheus.addresses={https://prometheus.monitoring:9090,http://other:9090}")
        for part in ("--prometheus=https://prometheus.monitoring:9090\n", "--prometheus=http://other:9090\n",
                     "--prometheus-ca-file=/etc/gopacer/prometheus-ca/ca.crt", "configMap: {name: prometheus-ca}", "--kubelet-insecure=true", "--kubelet-ca-file=/etc/gopacer/kubelet-ca/ca.crt", "--watch-namespace=shop",
                     "image: \"localhost/gopacer:dev\"", "configMap: {name: kubelet-ca}"):
            self.assertIn(part, text)

    def test_uninstalling_cleans_up_as_the_operator_and_beside_it(self):
        text = helm("template", "gopacer", *TEMPLATE[1:], "-n", NAMESPACE, "--show-only", "templates/cleanup.yaml", "--set", "watchNamespace=shop")
        job = json.loads(kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=text))
        self.assertEqual(job["metadata"]["annotations"], {
            "helm.sh/hook": "pre-delete", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"})
        # helm itself waits for five minutes and would not say what is the matter.
        self.assertLess(job["spec"]["activeDeadlineSeconds"], 300)
        pod, operator = job["spec"]["template"]["spec"], live("deployment")["spec"]["template"]["spec"]
        container, theirs = pod["containers"][0], operator["containers"][0]
        self.assertEqual(container["args"], [
            "cleanup", "--timeout=100s", "--lease-namespace=$(POD_NAMESPACE)", "--lease-name=gopacer-in-shop", "--namespace=shop"])
        self.assertEqual(pod["serviceAccountName"], operator["serviceAccountName"])
        self.assertEqual(pod["securityContext"], operator["securityContext"])
        for part in ("image", "imagePullPolicy", "securityContext"):
            self.assertEqual(container[part], theirs[part])
        selector = live("deployment")["spec"]["selector"]["matchLabels"]
        self.assertFalse(selector.items() <= job["spec"]["template"]["metadata"]["labels"].items(), "the Service would send it requests")
        self.assertNotIn("kind: Job", helm(*TEMPLATE, "--set", "cleanup.onUninstall=false"))
        # Namespaces check pods, and this one enforces the restricted standard.
        pod.pop("serviceAccountName")
        probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cleanup"}, "spec": pod}
        kubectl("-n", NAMESPACE, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe))

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
        for verb, lease, expected in (("create", "", True), ("get", "gopacer", True), ("update", "gopacer", True), ("patch", "gopacer", False),
                                      ("delete", "gopacer", False), ("get", "somebody-elses", False), ("update", "somebody-elses", False)):
            with self.subTest(f"{verb} lease {lease}"):
                resource = f"leases.coordination.k8s.io/{lease}".rstrip("/")
                answer = attempt("kubectl", "auth", "can-i", verb, resource, "--as", ACCOUNT, "-n", NAMESPACE)[1].strip()
                self.assertEqual(answer, "yes" if expected else "no")

    def test_rights_end_there(self):
        for verb, resource in (
            ("get", "secrets"), ("list", "secrets"), ("get", "configmaps"), ("create", "pods"), ("delete", "pods"),
            ("create", "pods/exec"), ("get", "pods/log"), ("get", "nodes/proxy"), ("create", "nodes/proxy"), ("get", "nodes/metrics"),
            ("patch", "nodes"), ("get", "nodes"), ("get", "pods"), ("get", "horizontalpodautoscalers.autoscaling"),
            ("get", "goruntimeprofiles.gopacer.dev/status"), ("update", "goruntimetrials.gopacer.dev"), ("update", "deployments.apps/scale"), ("patch", "deployments.apps/scale"),
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
        self.assertNotIn("*", rules.replace('gopacer.dev/scope: "*"', ""))

    def test_agents_may_look_into_processes_and_write_nothing(self):
        self.assertNotIn("DaemonSet", helm(*TEMPLATE), "they are off by default")
        agents = helm(*TEMPLATE, "--set", "agent.enabled=true", "--show-only", "templates/agent.yaml")
        self.assertIn("capabilities: {drop: [ALL], add: [SYS_PTRACE, DAC_OVERRIDE]}", agents)
        self.assertNotIn("--pauses", agents)
        measuring = helm(*TEMPLATE, "--set", "agent.enabled=true,agent.pauses=true", "--show-only", "templates/agent.yaml")
        self.assertIn("capabilities: {drop: [ALL], add: [SYS_PTRACE, DAC_OVERRIDE, BPF, PERFMON]}", measuring)
        self.assertIn("- --pauses\n", measuring)
        for word in ("privileged", "hostPath", "hostNetwork: true", "create", "patch", "delete", "*"):
            self.assertNotIn(word, agents)
        self.addCleanup(install)
        install("--set", "agent.enabled=true")
        account = ACCOUNT + "-agent"
        self.assertTrue(self.may("list", "pods", "default", account=account))
        self.assertTrue(self.may("watch", "goruntimetrials.gopacer.dev", "default", account=account))
        for verb, kind in (("patch", "goruntimeprofiles.gopacer.dev"), ("get", "secrets"), ("create", "pods"), ("create", "leases.coordination.k8s.io")):
            self.assertFalse(self.may(verb, kind, "default", account=account), f"{verb} {kind}")

    def test_agents_are_no_operators_to_any_selector(self):
        operator = live("deployment")["spec"]["selector"]["matchLabels"]
        self.addCleanup(install)
        install("--set", "agent.enabled=true")
        labels = live("daemonset", "gopacer-agent")["spec"]["template"]["metadata"]["labels"]
        self.assertFalse(operator.items() <= labels.items())

    def test_one_namespace_only(self):
        kubectl("create", "namespace", f"{NAMESPACE}-shop")
        self.addCleanup(install)
        install("--set", f"watchNamespace={NAMESPACE}-shop")
        self.assertTrue(self.may("patch", "deployments.apps", f"{NAMESPACE}-shop"))
        self.assertFalse(self.may("patch", "deployments.apps", "default"))
        self.assertFalse(self.may("list", "pods", "default"))
        self.assertTrue(self.may("get", "nodes/metrics", account=ACCOUNT + "-kubelet"))

    def test_each_release_and_scope_has_a_lease_of_its_own(self):
        def lease(release, *values):
            text = helm("template", release, *TEMPLATE[1:], *values)
            named = set(re.findall(r"--lease-name=(\S+)", text))
            self.assertEqual(set(re.findall(r"resourceNames: \[(.*-in-.*|gopacer.*|.*-gopacer)\]", text)) & named, named)
            return named.pop()

        leases = {lease("gopacer"), lease("other"), lease("gopacer", "--set", "watchNamespace=shop"), lease("gopacer", "--set", "watchNamespace=bank")}
        self.assertEqual(leases, {"gopacer", "other-gopacer", "gopacer-in-shop", "gopacer-in-bank"})

    def test_several_replicas_are_kept_apart_and_one_of_them_up(self):
        install("--set", "replicas=2")
        self.addCleanup(install)
        spread = live("deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
        labels = live("deployment")["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(spread["topologyKey"], "kubernetes.io/hostname")
        self.assertTrue(spread["labelSelector"]["matchLabels"].items() <= labels.items())
        budget = live("poddisruptionbudget")["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertTrue(budget["selector"]["matchLabels"].items() <= labels.items())
        install()
        self.assertNotEqual(attempt("kubectl", "-n", NAMESPACE, "get", "poddisruptionbudget", "gopacer")[0], 0)

    def test_others_reach_the_metrics_port_only(self):
        policy = live("networkpolicy")["spec"]
        labels = live("deployment")["spec"]["template"]["metadata"]["labels"]
        self.assertTrue(policy["podSelector"]["matchLabels"].items() <= labels.items())
        self.assertEqual(policy["policyTypes"], ["Ingress"])
        self.assertEqual(policy["ingress"], [{"ports": [{"port": "metrics", "protocol": "TCP"}]}])
        text = helm(*TEMPLATE, "--set", "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=watch")
        self.assertIn("team: watch", text)
        self.assertNotIn("kind: NetworkPolicy", helm(*TEMPLATE, "--set", "networkPolicy.enabled=false"))

    def test_the_image_may_be_named_by_its_digest(self):
        digest = "sha256:" + 64 * "0"
        text = helm(*TEMPLATE, "--set", f"image.digest={digest}", "--set", "image.tag=dev")
        self.assertIn(f'image: "localhost/gopacer@{digest}"', text)

    def test_policies_come_where_the_cluster_has_them_and_they_are_wanted(self):
        newer = [*TEMPLATE[:-1], "1.30.0"]
        self.assertEqual(helm(*newer).count("kind: ValidatingAdmissionPolicyBinding"), 4)
        for arguments in (TEMPLATE, [*newer, "--set", "admissionPolicies.enabled=false"]):
            self.assertNotIn("ValidatingAdmissionPolicy\n", helm(*arguments))

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
        # The hook's pod would never run here.
        helm("uninstall", "gopacer", "-n", NAMESPACE, "--no-hooks")
        self.addCleanup(install)
        left = kubectl("get", "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies,"
                       "validatingadmissionpolicies,validatingadmissionpolicybindings", "-A",
                       "-l", "app.kubernetes.io/name=gopacer", "-o", "name")
        self.assertEqual(left.strip(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
