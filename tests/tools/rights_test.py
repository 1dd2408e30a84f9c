#!/usr/bin/env python3
"""What tests/cluster/rights.py makes of audit logs and roles."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))
import rights  # noqa: E402

ROLES = [
    {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "patch"]},
        {"apiGroups": ["gopacer.dev"], "resources": ["goruntimetrials/finalizers"], "verbs": ["update"]}]},
    {"kind": "ClusterRoleBinding", "metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "all"},
     "subjects": [{"kind": "ServiceAccount", "namespace": "gopacer", "name": "gopacer"}]},
    {"kind": "Role", "metadata": {"name": "leader", "namespace": "gopacer"}, "rules": [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["gopacer"], "verbs": ["get"]}]},
    {"kind": "RoleBinding", "metadata": {"name": "leader", "namespace": "gopacer"}, "roleRef": {"kind": "Role", "name": "leader"},
     "subjects": [{"kind": "ServiceAccount", "namespace": "gopacer", "name": "gopacer"}]},
    {"kind": "ClusterRole", "metadata": {"name": "people"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
]


def event(verb, group, resource, namespace="shop", name="", user=rights.USER, decision="allow"):
    resource, _, subresource = resource.partition("/")
    return json.dumps({"user": {"username": user}, "verb": verb, "annotations": {"authorization.k8s.io/decision": decision},
                       "objectRef": {"apiGroup": group, "resource": resource, "subresource": subresource, "namespace": namespace, "name": name}})


ALL_USED = [event("list", "apps", "deployments", ""), event("patch", "apps", "deployments", name="x"),
            event("get", "coordination.k8s.io", "leases", "gopacer", "gopacer")]
FINALIZERS = ("update", "gopacer.dev", "goruntimetrials/finalizers")
PATCH = ("patch", "apps", "deployments")


class Rights(unittest.TestCase):
    def faults(self, log, whole=True, unseen=(FINALIZERS,), by_chance=()):
        return rights.compare(rights.rights_of(ROLES), rights.requests_of(log), whole, unseen, by_chance)

    def test_agree_when_each_is_used_and_each_request_allowed(self):
        self.assertEqual(self.faults(ALL_USED), [])

    def test_that_nobody_uses_are_named(self):
        self.assertEqual(self.faults(ALL_USED[:1] + ALL_USED[2:]), [
            "no request used the right to patch deployments.apps: take it out of the chart, or say in UNSEEN why it is there"])

    def test_that_nobody_can_use_are_excused_until_somebody_does(self):
        self.assertEqual(self.faults(ALL_USED[:1] + ALL_USED[2:], unseen=(FINALIZERS, PATCH)), [])
        for whole in (True, False):
            self.assertEqual(self.faults(ALL_USED, whole, unseen=(FINALIZERS, PATCH)), [
                "a request used the right to patch deployments.apps: take it out of UNSEEN"])

    def test_that_are_used_by_chance_are_no_fault_either_way(self):
        for log in (ALL_USED, ALL_USED[:1] + ALL_USED[2:]):
            self.assertEqual(self.faults(log, by_chance=(PATCH,)), [])

    def test_that_the_chart_does_not_give_need_no_excuse(self):
        self.assertEqual(self.faults(ALL_USED, unseen=(FINALIZERS, ("get", "", "nodes/metrics"))), [
            "the chart gives no right to get nodes/metrics: there is nothing to excuse"])

    def test_that_nobody_used_in_a_part_of_the_tests_are_no_fault(self):
        self.assertEqual(self.faults(ALL_USED[:1], whole=False), [])

    def test_that_are_missing_are_named(self):
        self.assertEqual(self.faults(ALL_USED + [event("delete", "", "pods", name="x", decision="forbid")]), [
            "the operator asked to delete pods shop/x, and the chart does not allow it"])

    def test_refused_while_the_roles_were_away_are_no_fault(self):
        self.assertEqual(self.faults(ALL_USED + [event("get", "coordination.k8s.io", "leases", "gopacer", "gopacer", decision="forbid")]), [])

    def test_given_to_it_by_somebody_else_do_not_count(self):
        self.assertEqual(len(self.faults(ALL_USED + [event("get", "", "secrets", name="x")])), 1)

    def test_by_name_are_for_that_name_and_namespace(self):
        for lease in (("gopacer", "other"), ("shop", "gopacer")):
            with self.subTest(lease):
                self.assertEqual(len(self.faults(ALL_USED + [event("get", "coordination.k8s.io", "leases", *lease)])), 1)

    def test_of_subresources_are_their_own(self):
        self.assertIn("deployments/scale", self.faults(ALL_USED + [event("patch", "apps", "deployments/scale", name="x")])[0])

    def test_of_others_do_not_matter(self):
        self.assertEqual(self.faults(ALL_USED + [event("get", "", "secrets", user="admin", decision="forbid")]), [])

    def test_need_a_log_that_has_something_to_say(self):
        self.assertEqual(self.faults([event("get", "", "secrets", user="admin")]), ["the audit log has no request of the operator"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
