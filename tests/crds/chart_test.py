#!/usr/bin/env python3
"""What helm makes of charts/gopacer, and what a real API server makes of that.

Starts an API server of its own, like admission_test.py. Nothing is scheduled, so no image is needed. `chart_test.py Rendered`
does without a server.
"""

import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import yaml

import harness
from harness import ROOT, attempt, kubectl
from rendered_chart import ALL_ON, CHART, WAYS, helm, only, pods_of, rendered, selector_of, unrestricted

sys.path.insert(0, str(ROOT / "tools"))
import chart_readme  # noqa: E402

# Without a server to ask, helm takes the version that it was built with.
TEMPLATE = ["template", CHART, "--kube-version", "1.29.0"]
NAMESPACE = f"gopacer-{os.getpid()}"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:gopacer"


def install(*values):
    helm("upgrade", "--install", "gopacer", CHART, "-n", NAMESPACE, "--reset-values", *values)


def live(kind, name="gopacer"):
    return json.loads(kubectl("-n", NAMESPACE, "get", kind, name, "-o", "json"))


class Rendered(unittest.TestCase):
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
            ("serviceMonitor.interval=often", "interval"),
            ("serviceMonitor.scrapeTimeout=5", "scrapeTimeout"),
            ("serviceMonitor.namespace=Not_A_Namespace", "namespace"),
            ("serviceMonitor.labels.tier=1", "tier"),
            ("prometheusRule.enabeld=true", "enabeld"),
            ("prometheusRule.enabled=yes", "enabled"),
            ("dashboards.labels.grafana_dashboard=1", "grafana_dashboard"),  # labels are text: --set-string
            ("extraArgs=--captures", "extraArgs"),
            ("extraArgs={captures}", "extraArgs"),
            ("extraEnv[0].value=x", "extraEnv"),
            ("extraEnv[0].name=POD_NAMESPACE", "extraEnv"),  # the lease would be another one
            ("extraEnv[0].name=A,extraEnv[0].value=1", "value"),
            ("revisionHistoryLimit=-1", "revisionHistoryLimit"),
            ("podSecurityContext.runAsUser=0", "runAsUser"),
            ("podSecurityContext.runAsNonRoot=false", "runAsNonRoot"),
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

    def test_types_are_said_of_all_values_and_others_are_refused(self):
        schema = json.loads((ROOT / "charts/gopacer/values.schema.json").read_text())

        def look(path, part):
            self.assertTrue({"type", "enum", "$ref"} & set(part), f"{path} has no type")
            if "properties" in part:
                self.assertIs(part.get("additionalProperties"), False, f"{path} takes any name")
            for name, child in part.get("properties", {}).items():
                look(f"{path}.{name}", child)

        for name, child in schema["properties"].items():
            look(name, child)

    def test_the_page_lists_all_values(self):
        page, wanted = chart_readme.remade()
        if "GOPACER_WRITE_DOCS" in os.environ:
            (ROOT / chart_readme.PAGE).write_text(wanted)
        else:
            self.assertEqual(page, wanted, "GOPACER_WRITE_DOCS=1 with this test writes the page")
        for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", page):
            self.assertTrue((ROOT / chart_readme.PAGE).parent.joinpath(link).exists(), f"it links to {link}, which is not there")

    def test_a_value_without_a_meaning_is_told_of(self):
        self.assertEqual(list(chart_readme.values_of("# Of a.\na:\n  # One\n  # b.\n  b: {c: [1]}\n")), [("a", "", "Of a."), ("a.b", "{c: [1]}", "One b.")])
        with self.assertRaisesRegex(ValueError, "a.b has no comment"):
            list(chart_readme.values_of("# Of a.\na:\n  b: 1\n"))

    def test_each_way_gives_whole_objects(self):
        for way, values in WAYS.items():
            with self.subTest(way):
                objects = rendered(*values)
                names = [(o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
                self.assertEqual(len(names), len(set(names)), "two objects have the same name")
                templates = [pod["metadata"]["labels"] for pod in pods_of(objects).values()]
                services = [o["metadata"]["labels"] for o in objects if o["kind"] == "Service"]
                for o in objects:
                    self.assertEqual(o["metadata"]["labels"]["app.kubernetes.io/instance"], "gopacer", o["kind"])
                    selector = selector_of(o)
                    if selector is not None:
                        among = services if o["kind"] == "ServiceMonitor" else templates
                        matches = [labels for labels in among if selector.items() <= labels.items()]
                        self.assertEqual(len(matches), 1, f"{o['kind']} {o['metadata']['name']} selects {matches}")

    def test_pods_are_restricted_and_the_agents_cannot_be(self):
        for way, values in WAYS.items():
            with self.subTest(way):
                pods = pods_of(rendered(*values))
                for name in {"gopacer", "cleanup"} & set(pods):
                    self.assertEqual(unrestricted(pods[name]["spec"]), [])
                self.assertIn("gopacer", pods)
                if "agent" in pods:
                    self.assertIn("hostPID is set", unrestricted(pods["agent"]["spec"]), "the page asks for the label privileged without need")

    def test_the_cluster_may_choose_the_user(self):
        chosen = pods_of(rendered("--set", "podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null"))
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("podSecurityContext: {runAsUser: 1000680000, runAsGroup: 1000680000}")
            file.flush()
            large = pods_of(rendered("-f", file.name))
        for pods, expected in ((pods_of(rendered()), 65532), (chosen, None), (large, 1000680000)):
            for name in ("gopacer", "cleanup"):
                context = pods[name]["spec"]["securityContext"]
                self.assertEqual((context.get("runAsUser"), context.get("runAsGroup")), (expected, expected))
                self.assertEqual(unrestricted(pods[name]["spec"]), [])

    def test_prometheus_finds_the_service_and_the_agents(self):
        self.assertNotIn("monitoring.coreos.com/v1", [o["apiVersion"] for o in rendered("--set", "agent.enabled=true")], "they are off by default")
        objects = rendered("--set", "serviceMonitor.enabled=true,serviceMonitor.interval=15s,serviceMonitor.scrapeTimeout=5s",
                           "--set", "serviceMonitor.labels.release=stack,serviceMonitor.namespace=monitoring,agent.enabled=true")
        service = only(objects, "Service")
        ports = {"ServiceMonitor": [p["name"] for p in service["spec"]["ports"]],
                 "PodMonitor": [p["name"] for p in pods_of(objects)["agent"]["spec"]["containers"][0]["ports"]]}
        for kind, list_of in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
            monitor = only(objects, kind)
            self.assertEqual(monitor["spec"]["namespaceSelector"], {"matchNames": [service["metadata"]["namespace"]]})
            self.assertEqual(monitor["metadata"]["namespace"], "monitoring")
            self.assertEqual(monitor["metadata"]["labels"]["release"], "stack")
            [endpoint] = monitor["spec"][list_of]
            self.assertIn(endpoint.pop("port"), ports[kind])
            # Without honorLabels the namespace of all metrics would be gopacer's own.
            self.assertEqual(endpoint, {"path": "/metrics", "interval": "15s", "scrapeTimeout": "5s", "honorLabels": True})
        [endpoint] = only(rendered("--set", "serviceMonitor.enabled=true"), "ServiceMonitor")["spec"]["endpoints"]
        self.assertEqual(set(endpoint), {"port", "path", "honorLabels"}, "Prometheus' own times are taken")

    def test_a_service_monitor_without_the_service_is_refused(self):
        status, _, messages = attempt("helm", *TEMPLATE, "--set", "serviceMonitor.enabled=true,service.enabled=false")
        self.assertNotEqual(status, 0)
        self.assertIn("set service.enabled to true", messages)

    def test_all_rules_are_in_the_prometheus_rule_as_they_are(self):
        files = sorted((ROOT / "charts/gopacer/rules").glob("*.yaml"))
        self.assertTrue(files, "there are no rules")
        groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
        rule = only(rendered("--set", "prometheusRule.enabled=true,prometheusRule.labels.release=stack,prometheusRule.namespace=monitoring"), "PrometheusRule")
        self.assertEqual(rule["spec"], {"groups": groups})
        self.assertEqual(len(groups), len({group["name"] for group in groups}), "two groups have the same name")
        self.assertIn("{{ $labels.", json.dumps(rule["spec"]), "Prometheus' templates are Prometheus' to evaluate")
        self.assertEqual((rule["metadata"]["namespace"], rule["metadata"]["labels"]["release"]), ("monitoring", "stack"))

    def test_all_dashboards_are_in_config_maps_byte_for_byte(self):
        files = sorted((ROOT / "charts/gopacer/dashboards").glob("*.json"))
        self.assertTrue(files, "there are no dashboards")
        maps = [o for o in rendered("--set", "dashboards.enabled=true,dashboards.namespace=grafana") if o["kind"] == "ConfigMap"]
        self.assertEqual(len(maps), len(files), "Grafana's sidecar wants one for each")
        data = {name: text for o in maps for name, text in o["data"].items()}
        self.assertEqual({name: text.encode() for name, text in data.items()}, {file.name: file.read_bytes() for file in files})
        for o in maps:
            self.assertEqual((o["metadata"]["namespace"], o["metadata"]["labels"]["grafana_dashboard"]), ("grafana", "1"))
        self.assertFalse([o for o in rendered() if o["kind"] in ("ConfigMap", "PrometheusRule")], "they are off by default")

    def test_files_that_are_hard_to_carry(self):
        with tempfile.TemporaryDirectory() as directory:
            chart = pathlib.Path(directory) / "gopacer"
            shutil.copytree(CHART, chart)
            text = '  {"legend": "{{ .Values.replicas }} <b> é \u2028",\t\r\n\n "x": "\\n: #"}  \n\n'
            (chart / "dashboards/Hard_one.json").write_bytes(text.encode())
            [data] = [o["data"] for o in rendered("--set", "dashboards.enabled=true", chart=str(chart)) if o["metadata"]["name"] == "gopacer-dashboard-hard-one"]
            self.assertEqual(data, {"Hard_one.json": text})
            for bad in ("alerts: []", "groups: [", "groups: []"):
                (chart / "rules/bad.yaml").write_text(bad)
                status, _, messages = attempt("helm", "template", str(chart), *TEMPLATE[2:], "--set", "prometheusRule.enabled=true")
                self.assertNotEqual(status, 0)
                self.assertIn("rules/bad.yaml of the chart is no file of Prometheus rules", messages)

    def test_the_notes_say_when_agents_keep_prometheus_out(self):
        with tempfile.TemporaryDirectory() as directory:
            chart = pathlib.Path(directory) / "gopacer"
            shutil.copytree(CHART, chart)
            # helm template leaves the notes away.
            (chart / "templates/shown.yaml").write_text('{kind: Shown, notes: {{ include "gopacer/templates/NOTES.txt" . | toJson }}}')
            for values, expected in (("agent.enabled=true,serviceMonitor.enabled=true", True), ("serviceMonitor.enabled=true", False),
                                     ("agent.enabled=true,serviceMonitor.enabled=true,networkPolicy.metricsFrom[0].podSelector.a=b", False)):
                notes = only(rendered("--set", values, chart=str(chart)), "Shown")["notes"]
                self.assertEqual("name your Prometheus in networkPolicy.metricsFrom" in notes, expected, values)

    def test_several_replicas_are_spread_and_not_drained_at_once(self):
        for replicas in (0, 1, 2, 3):
            with self.subTest(replicas):
                objects = rendered("--set", f"replicas={replicas}")
                self.assertEqual(only(objects, "Deployment")["spec"]["replicas"], replicas)
                pod = pods_of(objects)["gopacer"]
                spread = pod["spec"].get("topologySpreadConstraints", [])
                budgets = [o["spec"]["maxUnavailable"] for o in objects if o["kind"] == "PodDisruptionBudget"]
                self.assertEqual((len(spread), budgets), (1, [1]) if replicas > 1 else (0, []))
                for constraint in spread:
                    self.assertEqual(constraint["topologyKey"], "kubernetes.io/hostname")
                    self.assertTrue(constraint["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items())

    def test_in_one_namespace_no_other_ones_objects_are_seen(self):
        objects = rendered(*WAYS["everything in one namespace"])
        for role in (o for o in objects if o["kind"] == "ClusterRole" and "people" not in o["metadata"]["labels"].values()):
            resources = {resource for rule in role["rules"] for resource in rule["resources"]}
            self.assertLessEqual(resources, {"nodes", "nodes/metrics"}, role["metadata"]["name"])
        self.assertEqual({o["metadata"]["namespace"] for o in objects if o["kind"] == "Role"}, {"ops", "shop"})
        for name, option in (("gopacer", "--watch-namespace=shop"), ("agent", "--watch-namespace=shop"), ("cleanup", "--namespace=shop")):
            self.assertIn(option, pods_of(objects)[name]["spec"]["containers"][0]["args"])

    def test_every_cluster_role_of_the_operator_says_its_scope(self):
        # One without it counts as a release that may work anywhere, and no second one could be installed.
        for way, scope in (("everything", "*"), ("everything in one namespace", "shop")):
            roles = [o["metadata"] for o in rendered(*WAYS[way]) if o["kind"] == "ClusterRole" and o["metadata"]["labels"]["app.kubernetes.io/name"] == "gopacer"]
            said = [m["annotations"]["gopacer.dev/scope"] for m in roles if "app.kubernetes.io/component" not in m["labels"]]
            self.assertEqual(said, [scope, scope])

    def test_without_rights_of_its_own_it_makes_none(self):
        self.assertFalse([o["kind"] for o in rendered(*WAYS["no rights"]) if o["apiVersion"].startswith("rbac.")])

    def test_all_pods_take_the_same_image_and_secrets(self):
        digest = "sha256:" + 64 * "0"
        pods = pods_of(rendered(*ALL_ON, "--set", f"image.digest={digest},image.tag=dev,image.repository=registry.example.com/gopacer"))
        self.assertEqual(set(pods), {"gopacer", "agent", "cleanup"})
        for pod in pods.values():
            self.assertEqual(pod["spec"]["containers"][0]["image"], f"registry.example.com/gopacer@{digest}")
            self.assertEqual(pod["spec"]["imagePullSecrets"], [{"name": "registry"}])

    def test_more_options_and_variables_are_the_operators_only(self):
        objects = rendered("--set", "agent.enabled=true,revisionHistoryLimit=3,watchNamespace=shop", "--set", "extraArgs={--context=one: two,--x}",
                           "--set-string", "extraEnv[0].name=ANSWER,extraEnv[0].value=42")
        pods = pods_of(objects)
        operator = pods.pop("gopacer")["spec"]["containers"][0]
        self.assertEqual(operator["args"][-2:], ["--context=one: two", "--x"])
        self.assertEqual([e["name"] for e in operator["env"]], ["POD_NAME", "POD_NAMESPACE", "ANSWER"])
        self.assertEqual(operator["env"][-1], {"name": "ANSWER", "value": "42"})
        for pod in pods.values():
            self.assertNotIn("--x", pod["spec"]["containers"][0]["args"])
            self.assertNotIn("ANSWER", json.dumps(pod))
        self.assertEqual({o["spec"]["revisionHistoryLimit"] for o in objects if o["kind"] in ("Deployment", "DaemonSet")}, {3})

    def test_policies_come_where_the_cluster_has_them_and_they_are_wanted(self):
        newer = [*TEMPLATE[:-1], "1.30.0"]
        self.assertEqual(helm(*newer).count("kind: ValidatingAdmissionPolicyBinding"), 4)
        for arguments in (TEMPLATE, [*newer, "--set", "admissionPolicies.enabled=false"]):
            self.assertNotIn("ValidatingAdmissionPolicy\n", helm(*arguments))

    def test_each_release_and_scope_has_a_lease_of_its_own(self):
        def lease(release, *values):
            text = helm("template", release, *TEMPLATE[1:], *values)
            named = set(re.findall(r"--lease-name=(\S+)", text))
            self.assertEqual(set(re.findall(r"resourceNames: \[(.*-in-.*|gopacer.*|.*-gopacer)\]", text)) & named, named)
            return named.pop()

        leases = {lease("gopacer"), lease("other"), lease("gopacer", "--set", "watchNamespace=shop"), lease("gopacer", "--set", "watchNamespace=bank")}
        self.assertEqual(leases, {"gopacer", "other-gopacer", "gopacer-in-shop", "gopacer-in-bank"})


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.start_api_server()
        cls.addClassCleanup(lambda: attempt("helm", "uninstall", "gopacer", "-n", NAMESPACE, "--no-hooks"))
        kubectl("create", "namespace", NAMESPACE)
        kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        install()

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
                    "--set", "watchNamespace=shop", "--set", "image.tag=dev", "--set", "prometheus.ca.configMap=prometheus-ca", "--set", "notifications.secret=tell",
                    "--set", "prometheus.addresses={https://prometheus.monitoring:9090,http://other:9090}")
        for part in ("--prometheus=https://prometheus.monitoring:9090\n", "--prometheus=http://other:9090\n",
                     "--notifications-file=/etc/gopacer/notifications/config.json", "secret: {secretName: tell}", "--prometheus-ca-file=/etc/gopacer/prometheus-ca/ca.crt", "configMap: {name: prometheus-ca}", "--kubelet-insecure=true", "--kubelet-ca-file=/etc/gopacer/kubelet-ca/ca.crt", "--watch-namespace=shop",
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
        # Beside it there is room for another one, but not in the same namespace.
        other = ["install", "gopacer-other", CHART, "-n", NAMESPACE, "--skip-crds", "--dry-run=server", "--set"]
        helm(*other, f"watchNamespace={NAMESPACE}-bank")
        status, _, messages = attempt("helm", *other, f"watchNamespace={NAMESPACE}-shop")
        self.assertNotEqual(status, 0)
        self.assertIn(f"works in namespace {NAMESPACE}-shop", messages)

    def test_others_reach_the_metrics_port_only(self):
        policy = live("networkpolicy")["spec"]
        labels = live("deployment")["spec"]["template"]["metadata"]["labels"]
        self.assertTrue(policy["podSelector"]["matchLabels"].items() <= labels.items())
        self.assertEqual(policy["policyTypes"], ["Ingress"])
        self.assertEqual(policy["ingress"], [{"ports": [{"port": "metrics", "protocol": "TCP"}]}])
        text = helm(*TEMPLATE, "--set", "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=watch")
        self.assertIn("team: watch", text)
        self.assertNotIn("kind: NetworkPolicy", helm(*TEMPLATE, "--set", "networkPolicy.enabled=false"))

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
