#!/usr/bin/env python3
"""Who may do what where gopacer is installed: RBAC and the chart's admission policies together, on a real API server.

Four act here: the operator; an author, who may write profiles and patch Deployments; a guest, who may write profiles only; and
an admin, who may do everything that RBAC can allow.
"""

import copy
import json
import os
import unittest

import harness
from harness import ROOT, Server, attempt, kubectl

RELEASE = f"gopacer-{os.getpid()}"
SHOP = "shop"
OPERATOR = f"system:serviceaccount:{RELEASE}:{RELEASE}"
AUTHOR, GUEST, VIEWER, ADMIN = "author", "guest", "viewer", None
GOPACER = f"/apis/gopacer.dev/v1alpha1/namespaces/{SHOP}"
APPS = f"/apis/apps/v1/namespaces/{SHOP}"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


def setUpModule():
    harness.start_api_server()
    for namespace in (RELEASE, SHOP):
        kubectl("create", "namespace", namespace)
    status, _, messages = attempt("helm", "install", RELEASE, str(ROOT / "charts/gopacer"), "-n", RELEASE,
                                  "--set", "excludedNamespaces={kube-system,forbidden}")
    assert status == 0, messages
    harness.install_crds()
    kubectl("create", "namespace", "forbidden")
    for namespace in (SHOP, "forbidden"):
        kubectl("-n", namespace, "create", "role", "profiles", "--verb=get,create,update,patch,delete", "--resource=goruntimeprofiles.gopacer.dev")
        kubectl("-n", namespace, "create", "role", "patcher", "--verb=get,patch", "--resource=deployments.apps")
        kubectl("-n", namespace, "create", "rolebinding", "profiles", "--role=profiles", "--user=author", "--user=guest")
        kubectl("-n", namespace, "create", "rolebinding", "patcher", "--role=patcher", "--user=author")


def profile(name="checkout", target="checkout", **policy):
    return {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeProfile", "metadata": {"name": name},
            "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "updatePolicy": policy}}


def trial(name="checkout-1"):
    return {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeTrial", "metadata": {"name": name}, "spec": {
        "profileRef": {"name": "checkout", "uid": "1"}, "targetRef": {"name": "checkout", "uid": "2"}, "container": "app", "number": 1,
        "from": {}, "to": {"gogc": "200"}, "canary": {"replicas": 1}, "deadline": "2026-01-02T03:04:05Z"}}


def deployment(name="checkout"):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": {"app": name}, "annotations": {"team": "shop"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"scrape": "yes"}},
                "spec": {"volumes": [{"name": "tmp", "emptyDir": {}}],
                         "containers": [
                             {"name": "app", "image": "app:1", "env": [{"name": "A", "value": "1"}, {"name": "GOGC", "value": "100"},
                                                                       {"name": "B", "value": "2"}],
                              "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
                             {"name": "side", "image": "side:1"}]}}}}


def arm(track="canary"):
    thing = deployment("checkout")
    labels = {"gopacer.dev/trial": "checkout-1", "gopacer.dev/track": track}
    thing["metadata"] = {"name": f"checkout-gopacer-{track}", "labels": {**labels, "app.kubernetes.io/managed-by": "gopacer"},
                         "ownerReferences": [{"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeTrial", "name": "checkout-1",
                                              "uid": "11111111-2222-3333-4444-555555555555", "controller": True, "blockOwnerDeletion": True}]}
    thing["spec"]["replicas"] = 1
    thing["spec"]["selector"]["matchLabels"] = labels
    thing["spec"]["template"]["metadata"]["labels"].update(labels)
    return thing


def with_change(thing, path, value):
    """A copy with another value at a place such as spec/template/spec/containers/0/image; None removes it."""
    thing = copy.deepcopy(thing)
    at = thing
    *parents, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    for part in parents:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    if value is None:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return thing


class Policies(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        # A policy is in force a moment after it was made. The bindings come last, so each is asked.
        harness.eventually(lambda: cls.server.send("POST", f"{GOPACER}/goruntimetrials?dryRun=All", trial())[0] == 403)
        harness.eventually(lambda: cls.server.send(
            "POST", f"{GOPACER}/goruntimeprofiles?dryRun=All", profile(updateMode="Canary"), user=GUEST)[0] == 403)
        harness.eventually(lambda: cls.server.send("POST", f"{APPS}/deployments?dryRun=All", arm())[0] == 403)
        harness.eventually(lambda: cls.server.send("POST", f"{APPS}/deployments?dryRun=All", deployment("x"), user=OPERATOR)[0] == 403)

    def made(self, path, thing, user=ADMIN):
        status, answer = self.server.send("POST", path, thing, user=user)
        self.assertEqual(status, 201, answer.get("message"))
        name = f"{path}/{thing['metadata']['name']}"
        self.addCleanup(self.server.send, "DELETE", name)
        return name

    def allowed(self, answer, status=(200, 201)):
        self.assertIn(answer[0], status, answer[1].get("message"))
        return answer[1]

    def refused(self, answer, words):
        self.assertIn(answer[0], (403, 422), f"it was allowed: {json.dumps(answer[1])[:2000]}")
        self.assertIn(words, answer[1]["message"])

    # Trials and statuses.

    def test_nobody_but_the_operator_makes_a_trial(self):
        self.refused(self.server.send("POST", f"{GOPACER}/goruntimetrials", trial()), f"written by gopacer ({OPERATOR}) only")
        self.made(f"{GOPACER}/goruntimetrials", trial(), OPERATOR)

    def test_nobody_but_the_operator_tells_how_a_trial_goes(self):
        path = self.made(f"{GOPACER}/goruntimetrials", trial(), OPERATOR)
        change = {"status": {"phase": "Promoting"}}
        self.refused(self.server.send("PATCH", f"{path}/status", change, MERGE), "written by gopacer")
        self.allowed(self.server.send("PATCH", f"{path}/status", change, MERGE, user=OPERATOR))
        self.refused(self.server.send("PATCH", f"{path}/status", {"status": None}, MERGE), "written by gopacer")

    def test_people_may_write_a_trials_metadata_and_delete_it(self):
        path = self.made(f"{GOPACER}/goruntimetrials", trial(), OPERATOR)
        self.allowed(self.server.send("PATCH", path, {"metadata": {"labels": {"looked-at": "yes"}, "finalizers": []}}, MERGE))
        self.allowed(self.server.send("DELETE", path))

    def test_nobody_but_the_operator_writes_a_profiles_status(self):
        path = self.made(f"{GOPACER}/goruntimeprofiles", profile(), AUTHOR)
        change = {"status": {"activeTrial": "forged-1", "applied": {"gogc": "1"}}}
        self.refused(self.server.send("PATCH", f"{path}/status", change, MERGE), "the status of profiles")
        self.allowed(self.server.send("PATCH", f"{path}/status", change, MERGE, user=OPERATOR))

    # Profiles.

    def test_an_author_may_have_changed_what_they_may_change(self):
        self.made(f"{GOPACER}/goruntimeprofiles", profile(updateMode="Canary", revertOnDeletion=True), AUTHOR)

    def test_a_guest_may_ask_for_recommendations_only(self):
        path = self.made(f"{GOPACER}/goruntimeprofiles", profile(), GUEST)
        words = "guest may not patch Deployment checkout"
        for policy in ({"updateMode": "Canary"}, {"updateMode": "Continuous", "apply": "Live"}, {"revertOnDeletion": True}):
            with self.subTest(policy):
                self.refused(self.server.send("POST", f"{GOPACER}/goruntimeprofiles", profile("other", **policy), user=GUEST), words)
                self.refused(self.server.send("PATCH", path, {"spec": {"updatePolicy": policy}}, MERGE, user=GUEST), words)
        self.allowed(self.server.send("PATCH", path, {"spec": {"containerName": "app"}}, MERGE, user=GUEST))

    def test_a_guest_may_not_turn_what_an_author_began(self):
        path = self.made(f"{GOPACER}/goruntimeprofiles", profile(updateMode="Canary", revertOnDeletion=True), AUTHOR)
        change = {"spec": {"objective": {"strategy": "Fixed", "settings": {"gogc": 1}}}}
        self.refused(self.server.send("PATCH", path, change, MERGE, user=GUEST), "guest may not patch Deployment checkout")
        self.allowed(self.server.send("PATCH", path, change, MERGE, user=AUTHOR))
        self.allowed(self.server.send("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE, user=GUEST))

    def test_a_guest_may_not_ask_for_the_settings_of_an_earlier_trial(self):
        self.guest_may_not_ask("undo-to")

    def test_a_guest_may_not_ask_for_a_promotion(self):
        self.guest_may_not_ask("promote")

    def test_a_guest_may_not_ask_for_another_trial(self):
        self.guest_may_not_ask("retry")

    def guest_may_not_ask(self, wish):
        def asks(trial):
            return {"metadata": {"annotations": {f"gopacer.dev/{wish}": trial}}}
        path = self.made(f"{GOPACER}/goruntimeprofiles", profile(), GUEST)
        self.refused(self.server.send("PATCH", path, asks("checkout-1"), MERGE, user=GUEST), "guest may not patch Deployment checkout")
        self.allowed(self.server.send("PATCH", path, asks("checkout-1"), MERGE, user=AUTHOR))
        self.refused(self.server.send("PATCH", path, asks("checkout-2"), MERGE, user=GUEST), "guest may not patch Deployment checkout")
        self.allowed(self.server.send("PATCH", path, {"spec": {"containerName": "app"}}, MERGE, user=GUEST))
        self.allowed(self.server.send("PATCH", path, asks(None), MERGE, user=GUEST))

    def test_a_guest_may_stop_what_an_author_began(self):
        for stop in ({"suspend": True}, {"updateMode": "Off"}):
            with self.subTest(stop):
                path = self.made(f"{GOPACER}/goruntimeprofiles", profile(updateMode="Canary", revertOnDeletion=True), AUTHOR)
                self.allowed(self.server.send("PATCH", path, {"spec": {"updatePolicy": stop}}, MERGE, user=GUEST))
                self.allowed(self.server.send("DELETE", path, user=GUEST))

    def test_the_operator_writes_metadata_and_status_of_a_profile_and_not_its_spec(self):
        path = self.made(f"{GOPACER}/goruntimeprofiles", profile(updateMode="Canary"), AUTHOR)
        self.allowed(self.server.send("PATCH", path, {"metadata": {"finalizers": ["gopacer.dev/revert"]}}, MERGE, user=OPERATOR))
        self.allowed(self.server.send("PATCH", path, {"metadata": {"finalizers": []}}, MERGE, user=OPERATOR))
        self.refused(self.server.send("PATCH", path, {"spec": {"updatePolicy": {"suspend": True}}}, MERGE, user=OPERATOR),
                     "the spec of a profile is written by people")

    def test_an_excluded_namespace_has_no_profiles(self):
        for namespace in ("forbidden", "kube-system", RELEASE):
            with self.subTest(namespace):
                path = f"/apis/gopacer.dev/v1alpha1/namespaces/{namespace}/goruntimeprofiles"
                self.refused(self.server.send("POST", path, profile()), f"gopacer tunes nothing in namespace {namespace}")

    # The operator's own writes.

    def test_the_operator_makes_and_removes_its_arms(self):
        for track in ("canary", "baseline"):
            path = self.made(f"{APPS}/deployments", arm(track), OPERATOR)
            self.allowed(self.server.send("DELETE", path, user=OPERATOR))

    def test_the_operator_removes_an_arm_that_another_controller_has_touched(self):
        path = self.made(f"{APPS}/deployments", arm(), OPERATOR)
        owners = arm()["metadata"]["ownerReferences"] + [
            {"apiVersion": "app.k8s.io/v1beta1", "kind": "Application", "name": "shop", "uid": "66666666-7777-8888-9999-000000000000"}]
        touched = {"metadata": {"ownerReferences": owners, "labels": {"app.kubernetes.io/managed-by": "Helm"}}}
        self.allowed(self.server.send("PATCH", path, touched, MERGE))
        self.allowed(self.server.send("PATCH", path, {"spec": {"replicas": 3}}, MERGE, user=OPERATOR))
        self.allowed(self.server.send("DELETE", path, user=OPERATOR))

    def test_nobody_else_makes_an_arm(self):
        path = f"{APPS}/deployments"
        self.refused(self.server.send("POST", path, arm()), "which only gopacer makes")
        made = self.made(path, deployment("plain"))
        label = {"metadata": {"labels": {"gopacer.dev/trial": "checkout-1"}}}
        self.refused(self.server.send("PATCH", made, label, content_type=MERGE), "which only gopacer makes")
        # The deployment controller and people who scale it write to one that is there.
        there = self.made(path, arm(), OPERATOR)
        self.allowed(self.server.send("PATCH", there, {"metadata": {"annotations": {"seen": "yes"}}}, content_type=MERGE))

    def test_the_operator_makes_nothing_else(self):
        path = f"{APPS}/deployments"
        other_owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "11111111-2222-3333-4444-555555555555",
                        "controller": True}]
        uncontrolled = [{**arm()["metadata"]["ownerReferences"][0], "controller": False}]
        for place, value in (
            ("metadata/name", "anything"), ("metadata/name", "checkout-gopacer-baseline"), ("metadata/ownerReferences", None),
            ("metadata/ownerReferences", other_owner), ("metadata/ownerReferences", uncontrolled),
            ("metadata/labels/gopacer.dev~trial", None), ("metadata/labels/gopacer.dev~track", "other"), ("metadata/labels", None),
        ):
            with self.subTest(f"{place} {value}"):
                thing = arm()
                at = thing
                *parents, last = [part.replace("~", "/") for part in place.split("/")]
                for part in parents:
                    at = at[part]
                if value is None:
                    del at[last]
                else:
                    at[last] = value
                self.refused(self.server.send("POST", path, thing, user=OPERATOR), "only Deployments of its own trials")
        self.refused(self.server.send("POST", path, with_change(arm(), "spec/replicas", 41), user=OPERATOR), "at most 40 pods")

    def test_the_operator_removes_nothing_else(self):
        path = self.made(f"{APPS}/deployments", deployment())
        self.refused(self.server.send("DELETE", path, user=OPERATOR), "only Deployments of its own trials, and Deployment checkout is none")

    def test_the_operator_sets_changes_and_releases_its_two_entries(self):
        path = self.made(f"{APPS}/deployments", deployment("plain"))
        container = {"name": "app", "env": [{"name": "GOMEMLIMIT", "value": "850MiB"}]}
        document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "plain", "annotations": {"kubernetes.io/change-cause": "gopacer: x"}},
                    "spec": {"template": {"spec": {"containers": [container]}}}}
        answer = self.allowed(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR))
        self.assertIn({"name": "GOMEMLIMIT", "value": "850MiB"}, answer["spec"]["template"]["spec"]["containers"][0]["env"])
        container["env"][0]["value"] = "900MiB"
        self.allowed(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR))
        del document["spec"], document["metadata"]["annotations"]
        answer = self.allowed(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR))
        self.assertEqual([e["name"] for e in answer["spec"]["template"]["spec"]["containers"][0]["env"]], ["A", "GOGC", "B"])
        # One without any env entry, and one with an entry that is ours alone.
        document["spec"] = {"template": {"spec": {"containers": [{"name": "side", "env": [{"name": "GOGC", "value": "50"}]}]}}}
        self.allowed(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR))
        del document["spec"]
        self.allowed(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR))

    def test_the_operator_changes_nothing_else_of_a_deployment(self):
        path = self.made(f"{APPS}/deployments", deployment())
        before = self.server.send("GET", path)[1]
        containers = "spec/template/spec/containers"
        for place, value in (
            ("spec/replicas", 0), ("spec/paused", True), ("spec/strategy", {"type": "Recreate", "rollingUpdate": None}), ("spec/minReadySeconds", 5),
            ("spec/template/metadata/labels/new", "label"), ("spec/template/metadata/annotations/scrape", "no"),
            ("spec/template/spec/hostNetwork", True), ("spec/template/spec/serviceAccountName", "other"), ("spec/template/spec/volumes", []),
            ("spec/template/spec/initContainers", [{"name": "first", "image": "first:1"}]), ("spec/template/spec/nodeName", "node1"),
            (f"{containers}/0/image", "other:1"), (f"{containers}/0/command", ["sh"]), (f"{containers}/0/securityContext", {"privileged": True}),
            (f"{containers}/0/env/0/value", "other"), (f"{containers}/0/env/0", {"name": "LD_PRELOAD", "value": "x"}),
            (f"{containers}/0/env/3", {"name": "LD_PRELOAD", "value": "x"}), (f"{containers}/1/env", [{"name": "PATH", "value": "x"}]),
            (f"{containers}/0/env/1", {"name": "GOGC", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
            (f"{containers}/0/envFrom", [{"secretRef": {"name": "s"}}]), (f"{containers}/2", {"name": "third", "image": "third:1"}),
            (f"{containers}/1", {"name": "renamed", "image": "side:1"}), ("metadata/labels/app", "other"), ("metadata/labels", {}),
            ("metadata/annotations/team", "other"), ("metadata/annotations/new", "one"), ("metadata/annotations/team", None),
            ("metadata/finalizers", ["gopacer.dev/x"]), ("metadata/ownerReferences", arm()["metadata"]["ownerReferences"]),
        ):
            with self.subTest(f"{place} {value}"):
                change = with_change(before, place, value)
                if place.endswith("/volumes"):
                    del change["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
                change = {field: change[field] for field in ("metadata", "spec")}
                # A merge patch removes only what it names.
                if place == "metadata/labels":
                    change["metadata"]["labels"] = {"app": None}
                elif value is None:
                    change["metadata"]["annotations"] = {"team": None}
                for field in ("managedFields", "resourceVersion", "creationTimestamp", "generation", "uid"):
                    change["metadata"].pop(field, None)
                self.refused(self.server.send("PATCH", f"{path}?dryRun=All", change, MERGE, user=OPERATOR), "gopacer may change")
                # The API server itself has nothing against it: it is the policy that refuses.
                self.allowed(self.server.send("PATCH", f"{path}?dryRun=All", change, MERGE))

    def test_the_operator_lets_its_arms_grow_and_nothing_else(self):
        ours = self.made(f"{APPS}/deployments", arm(), user=OPERATOR)
        target = self.made(f"{APPS}/deployments", deployment("grown"))
        grow = {"spec": {"replicas": 3}}
        self.allowed(self.server.send("PATCH", ours, grow, MERGE, user=OPERATOR))
        self.refused(self.server.send("PATCH", ours, {"spec": {"replicas": 41}}, MERGE, user=OPERATOR), "gopacer may change")
        self.refused(self.server.send("PATCH", target, grow, MERGE, user=OPERATOR), "gopacer may change")

    def test_the_operator_writes_nothing_in_an_excluded_namespace(self):
        there = "/apis/apps/v1/namespaces/forbidden/deployments"
        self.refused(self.server.send("POST", there, arm(), user=OPERATOR), "gopacer may write nothing in namespace forbidden")
        path = self.made(there, deployment())
        document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"},
                    "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "GOMEMLIMIT", "value": "1MiB"}]}]}}}}
        self.refused(self.server.send("PATCH", f"{path}?fieldManager=gopacer", document, APPLY, user=OPERATOR),
                     "gopacer may write nothing in namespace forbidden")


class Roles(unittest.TestCase):
    """What the cluster's own roles view, edit and admin say once gopacer is installed. No controller aggregates here, so the parts
    are bound as they are."""

    @classmethod
    def setUpClass(cls):
        for user, parts in ((VIEWER, ["view"]), ("editor", ["view", "edit"])):
            for part in parts:
                kubectl("-n", SHOP, "create", "rolebinding", f"{user}-{part}", f"--clusterrole={RELEASE}-{part}", f"--user={user}")

    def may(self, user, verb, resource):
        resource, _, subresource = resource.partition("/")
        return attempt("kubectl", "auth", "can-i", verb, f"{resource}.gopacer.dev", f"--subresource={subresource}", "--as", user,
                       "-n", SHOP)[1].strip() == "yes"

    def test_rights(self):
        expected = {
            "viewer": {("get", "goruntimeprofiles"), ("watch", "goruntimetrials")},
            "editor": {("get", "goruntimeprofiles"), ("watch", "goruntimetrials"), ("create", "goruntimeprofiles"), ("patch", "goruntimeprofiles"),
                       ("delete", "goruntimeprofiles"), ("delete", "goruntimetrials")},
        }
        asked = expected["editor"] | {("create", "goruntimetrials"), ("patch", "goruntimetrials"), ("patch", "goruntimetrials/status"),
                                      ("patch", "goruntimeprofiles/status"), ("update", "goruntimetrials")}
        for user, rights in expected.items():
            for verb, resource in sorted(asked):
                with self.subTest(f"{user} {verb} {resource}"):
                    self.assertEqual(self.may(user, verb, resource), (verb, resource) in rights)

    def test_they_are_added_to_the_clusters_own(self):
        for part, roles in (("view", ("view", "edit", "admin")), ("edit", ("edit", "admin"))):
            labels = json.loads(kubectl("get", "clusterrole", f"{RELEASE}-{part}", "-o", "json"))["metadata"]["labels"]
            self.assertEqual({r for r in ("view", "edit", "admin") if labels.get(f"rbac.authorization.k8s.io/aggregate-to-{r}") == "true"}, set(roles))


class TwoInstallations(unittest.TestCase):
    def install(self, *values):
        return attempt("helm", "install", "second", str(ROOT / "charts/gopacer"), "-n", "second", "--dry-run=server", *values)

    def test_that_overlap_are_refused(self):
        kubectl("create", "namespace", "second")
        for values in ([], ["--set", "watchNamespace=other"]):
            status, _, messages = self.install(*values)
            self.assertNotEqual(status, 0)
            self.assertIn(f"release {RELEASE} in namespace {RELEASE} is gopacer too and works in all namespaces", messages)


if __name__ == "__main__":
    unittest.main(verbosity=2)
