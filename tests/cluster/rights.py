#!/usr/bin/env python3
"""Holds the requests that the operator made during the cluster tests against the roles that the chart gives it, both ways: each
request needs a right of the chart's, and each right a request that used it.

  rights.py AUDIT_LOG HELM CHART [--whole]

AUDIT_LOG is the API server's, one event a line (audit.yaml). Without --whole rights may go unused: a part of the tests uses a part
of them. What the API server refused is no fault by itself: helm takes the roles away before the operator has ended.
"""

import json
import os
import pathlib
import subprocess
import sys

USER = "system:serviceaccount:gopacer:gopacer"
# Rights that no cluster test can use, and why they are there all the same.
UNSEEN = {
    ("update", "gopacer.dev", "goruntimetrials/finalizers"): "the API server asks for it itself, where OwnerReferencesPermissionEnforcement is on",
}
# Rights that the chart does not give, but a person, as the docs say; and why.
GIVEN_BY_PERSONS = {
    ("get", "", "secrets"): "the one Secret that an SLO's prometheus.authorization names: docs/prometheus.md",
}
# Rights that a run uses or not, by chance.
BY_CHANCE = {
    ("list", "metrics.k8s.io", "pods"): "only while a kubelet has not told of a pod, which for most pods it has before anybody looks",
}


# Rights that only the long tests use (GOPACER_LONG).
LONG_ONLY = {
    (verb, group, resource)
    for verb in ("list", "watch")
    for group, resource in (("argoproj.io", "rollouts"), ("flagger.app", "canaries"), ("autoscaling.k8s.io", "verticalpodautoscalers"))
}


def name_of(resource, group):
    return f"{resource}.{group}" if group else resource


class Right:
    """What one rule of a role allows, one verb of one resource at a time. No names: all of them."""

    def __init__(self, verb, group, resource, namespace="", names=()):
        self.verb, self.group, self.resource, self.namespace, self.names = verb, group, resource, namespace, frozenset(names)

    @property
    def kind(self):
        return (self.verb, self.group, self.resource)

    def allows(self, request):
        return (
            self.kind == (request["verb"], request["group"], request["resource"])
            and self.namespace in ("", request["namespace"])
            and (not self.names or request["name"] in self.names)
        )

    def __str__(self):
        where = f" in namespace {self.namespace}" if self.namespace else ""
        which = f" named {', '.join(sorted(self.names))}" if self.names else ""
        return f"{self.verb} {name_of(self.resource, self.group)}{which}{where}"


def rights_of(objects, user=USER):
    """The rights that bindings among the objects give to the user."""
    _, _, namespace, account = user.split(":")
    roles = {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in objects if o["kind"] in ("Role", "ClusterRole")}
    rights = []
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        subjects = [(s["kind"], s.get("namespace"), s["name"]) for s in binding.get("subjects", [])]
        if ("ServiceAccount", namespace, account) not in subjects:
            continue
        scope = binding["metadata"].get("namespace", "") if binding["kind"] == "RoleBinding" else ""
        kind = binding["roleRef"]["kind"]
        for rule in roles[(kind, scope if kind == "Role" else "", binding["roleRef"]["name"])]["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        rights.append(Right(verb, group, resource, scope, rule.get("resourceNames", ())))
    return rights


def requests_of(lines, user=USER):
    """What the user asked the API server for."""
    for line in lines:
        event = json.loads(line)
        target = event.get("objectRef", {})
        if event["user"]["username"] != user or not target.get("resource"):
            continue
        subresource = target.get("subresource")
        yield {
            "verb": event["verb"],
            "group": target.get("apiGroup", ""),
            "resource": target["resource"] + (f"/{subresource}" if subresource else ""),
            "namespace": target.get("namespace", ""),
            "name": target.get("name", ""),
        }


def compare(rights, requests, whole, unseen=frozenset(UNSEEN), by_chance=frozenset(BY_CHANCE)):
    """What is wrong, as sentences; nothing when requests and rights agree. Excuses are held against both, too."""
    used, faults, seen = set(), [], 0
    for request in requests:
        seen += 1
        allowing = [r for r in rights if r.allows(request)]
        used.update(id(r) for r in allowing)
        if not allowing:
            name = name_of(request["resource"], request["group"])
            faults.append(f"the operator asked to {request['verb']} {name} {request['namespace']}/{request['name']}, and the chart does not allow it")
    if not seen:
        return ["the audit log has no request of the operator"]
    for right in rights:
        if id(right) in used and right.kind in unseen:
            faults.append(f"a request used the right to {right}: take it out of UNSEEN")
        if whole and id(right) not in used and right.kind not in unseen and right.kind not in by_chance:
            faults.append(f"no request used the right to {right}: take it out of the chart, or say in UNSEEN why it is there")
    for verb, group, resource in {*unseen, *by_chance} - {right.kind for right in rights}:
        faults.append(f"the chart gives no right to {verb} {name_of(resource, group)}: there is nothing to excuse")
    return sorted(set(faults))


def chart_objects(helm, chart):
    import yaml  # only here: the tests of this file do without

    text = subprocess.run([helm, "template", "gopacer", chart, "-n", "gopacer", "--kube-version", "1.30.0"], check=True, capture_output=True, text=True).stdout
    return [o for o in yaml.safe_load_all(text) if o]


def main(arguments):
    log, helm, chart, *rest = arguments
    if not pathlib.Path(log).exists():
        print(f"there is no audit log {log}: the cluster is not the local one, or was brought up by an older version of this tree")
        return 77
    with open(log, encoding="utf-8") as lines:
        by_chance = set(BY_CHANCE) | (set() if os.environ.get("GOPACER_LONG") else {*GIVEN_BY_PERSONS, *LONG_ONLY})
        rights = rights_of(chart_objects(helm, chart)) + [Right(*kind) for kind in GIVEN_BY_PERSONS]
        faults = compare(rights, requests_of(lines), "--whole" in rest, by_chance=frozenset(by_chance))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
