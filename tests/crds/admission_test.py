#!/usr/bin/env python3
"""What the API server makes of profiles and trials: admission, defaults, columns and `kubectl explain`.

Starts a real API server of its own (tests/cluster/api_up.sh) and needs nothing beyond Python's standard library.
GOPACER_TEST_KUBECONFIG names another cluster to ask; the CRDs of crds/ are installed there and stay.
"""

import json
import os
import re
import unittest

import harness
from harness import ROOT, Server, kubectl

NAMESPACE = f"admission-{os.getpid()}"
GROUP = "gopacer.dev"
API = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}"


def setUpModule():
    harness.start_api_server()
    harness.install_crds()


def profile(spec=None, name="checkout"):
    whole = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}}
    whole.update(spec or {})
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "GoRuntimeProfile", "metadata": {"name": name}, "spec": whole}


def target(**changes):
    return {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", **changes}}


def fixed(**settings):
    return {"objective": {"strategy": "Fixed", "settings": settings}}


def slo(**changes):
    histogram = {"metric": "http_request_duration_seconds", **changes.pop("podHistogram", {})}
    return {"slos": [{"name": "latency-p99", "podHistogram": histogram, **changes}]}


def ratio(**changes):
    errors = {"metric": "http_requests_total", "labelPrefixes": {"code": "5"}}
    return {"slos": [{"name": "errors", "podRatio": {"bad": errors, "total": {"metric": "http_requests_total"}, **changes}}]}


def gauge(**changes):
    return {"slos": [{"name": "queue", "podGauge": {"metric": "work_queue_depth", **changes}}]}


def query(**changes):
    return {"slos": [{"name": "p99", "prometheus": {"query": 'max(x{pod=~"{{ pods }}"})', **changes}}]}


def runtime(**changes):
    return {"slos": [{"name": "pauses", "runtime": {"figure": "GcPause", **changes}}]}


def trial(**changes):
    spec = {
        "profileRef": {"name": "checkout", "uid": "1"},
        "targetRef": {"name": "checkout", "uid": "2"},
        "container": "app",
        "number": 1,
        "from": {},
        "to": {"gogc": "200", "goMemLimit": "400MiB"},
        "fromText": "Go's defaults",
        "toText": "GOGC=200 GOMEMLIMIT=400MiB",
        "canary": {"replicas": 1, "interval": "1.5s", "warmUp": "0s", "maxDuration": "30m", "minSamples": 2000, "watchFor": "1h30m"},
        "minSavingPercent": "-1.5000000000000002",
        "deadline": "2026-01-02T03:04:05Z",
        **changes,
    }
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "GoRuntimeTrial",
        "metadata": {"name": "checkout-1"},
        "spec": spec,
    }


# What a person may write: what it is, and the spec beside targetRef.
ACCEPTED = [
    ("nothing but a target", {}),
    ("the mode Off in quotes", {"updatePolicy": {"updateMode": "Off"}}),
    ("Continuous in running processes", {"updatePolicy": {"updateMode": "Continuous", "apply": "Live"}}),
    ("Fixed with GOGC only", fixed(gogc=10)),
    ("Fixed with GOMEMLIMIT only", fixed(goMemLimit="440MiB")),
    ("Fixed with both, outside the bounds", fixed(gogc=10000, goMemLimit="1GiB")),
    ("a memory size in plain bytes", fixed(goMemLimit="460800000")),
    ("a memory size in B", fixed(goMemLimit="460800000B")),
    ("a memory size in TiB", fixed(goMemLimit="1TiB")),
    ("bounds that are equal", {"bounds": {"minAllowed": {"gogc": 100}, "maxAllowed": {"gogc": 100}}}),
    ("a lowest memory limit", {"bounds": {"minAllowed": {"goMemLimit": "256MiB"}}}),
    ("a trial of exactly 20 windows", {"canary": {"interval": "15s", "maxDuration": "5m"}}),
    ("durations of several parts", {"canary": {"warmUp": "1m30s", "interval": "2500ms", "maxDuration": "1h30m"}}),
    ("no warm-up, watch or cool-down", {"canary": {"warmUp": "0s"}, "rollback": {"watchFor": "0s", "coolDown": "0s"}}),
    ("the short intervals of a demonstration", {"canary": {"warmUp": "10s", "interval": "2s", "maxDuration": "3m"}}),
    ("an SLO without an absolute limit", slo()),
    ("an SLO with everything", slo(
        podHistogram={"port": 9000, "path": "/internal/metrics", "quantile": "0.999", "labels": {"handler": "/a b"}},
        max="300ms", maxRegressionPercent=10)),
    ("times of what may be exceeded", {"slos": [{**slo()["slos"][0], "max": "1s", "maxFor": "2m"}, {**ratio(max="1%")["slos"][0], "maxFor": "1h"}]}),
    ("what follows a broken promise", {"slos": [{**slo()["slos"][0], "max": "1s", "action": "StepDown", "onNoData": "Ignore"}], "rollback": {"guard": True}}),
    ("a guard of any kind of promise", {**gauge(max="3"), "rollback": {"guard": True}}),
    ("arms that grow", {"canary": {"steps": [{"percent": 5, "pause": "5m"}, {"percent": 100}]}}),
    ("a share", ratio(port=9000, path="/m", max="1.25%", maxIncrease="100%")),
    ("a gauge", gauge(port=9000, path="/m", labels={"a": "b"}, labelPrefixes={"queue": "mail-"}, max="1000.5")),
    ("a gauge's limit of nothing, for a time", {"slos": [{**gauge(max="0")["slos"][0], "maxFor": "2m", "maxRegressionPercent": 50}]}),
    ("a query of Prometheus", query()),
    ("a query with everything", {"slos": [{**query(
        address="https://prometheus.monitoring.svc:9090/prefix", query="x{arm='{{ arm }}'}", window="5m", headers={"X-Scope-OrgID": "shop"},
        authorization={"secretName": "prom", "key": "token"}, max="0.3")["slos"][0], "maxFor": "2m", "maxRegressionPercent": 50}]}),
    ("a figure of the runtime", runtime()),
    ("a figure of the runtime with everything", {"slos": [{**runtime(quantile="0.99", max="50ms")["slos"][0], "maxFor": "1m", "maxRegressionPercent": 50}]}),
    ("a query whose placeholders have no blanks", query(query="x{a='{{pods}}'}")),
    ("a pause of a minute and a half", runtime(max="90s")),
    ("a share of the runtime", runtime(figure="GcCpu", max="12.5%")),
    ("what requests have to mark", runtime(figure="MarkAssist", max="5%")),
    ("milliseconds", slo(podHistogram={"unit": "Milliseconds"})),
    ("eight SLOs", {"slos": [slo(name=f"s{i}")["slos"][0] for i in range(8)]}),
    ("memory that is cheap", {"objective": {"memoryPricePerGiBCores": "0.01"}}),
    ("a container by name", {"containerName": "app"}),
]

# What must be refused: what it is, the spec beside targetRef, and a part of the message.
NOT_A_SIZE = "is not a Go memory size: give a whole number with B, KiB, MiB, GiB or TiB"
NOT_A_DURATION = "is not a duration: give whole numbers of h, m, s or ms"
REFUSED = [
    ("an unknown strategy", {"objective": {"strategy": "Fastest"}},
     'spec.objective.strategy: Unsupported value: "Fastest": supported values: "Model", "Fixed", "LatencyMemoryRate", "TwoFactor", "PauseFeedback", "WaterLevel"'),
    ("an unknown objective", {"objective": {"type": "Speed"}},
     'supported values: "Balanced", "Throughput", "Latency", "Memory"'),
    ("memory for nothing", {"objective": {"memoryPricePerGiBCores": "0"}},
     'must be a decimal number from 0.001 to 10, in quotes, such as "0.083"'),
    ("memory that costs a fortune", {"objective": {"memoryPricePerGiBCores": "10.01"}}, "must be a decimal number from 0.001 to 10"),
    ("a price in words", {"objective": {"memoryPricePerGiBCores": "cheap"}}, "must be a decimal number from 0.001 to 10"),
    ("an unknown mode", {"updatePolicy": {"updateMode": "Auto"}}, 'supported values: "Off", "Canary", "Continuous"'),
    ("Continuous with restarts", {"updatePolicy": {"updateMode": "Continuous"}},
     "updateMode Continuous needs apply: Live, since each change would restart the pods otherwise"),
    ("Off without quotes, which YAML reads as false", {"updatePolicy": {"updateMode": False}},
     "spec.updatePolicy.updateMode in body must be of type string"),
    ("Fixed without settings", {"objective": {"strategy": "Fixed"}},
     "spec.objective.settings: Required value: strategy Fixed needs settings: give gogc, goMemLimit or both"),
    ("Fixed with empty settings", fixed(), "spec.objective.settings: Required value: give gogc, goMemLimit or both"),
    ("settings without Fixed", {"objective": {"settings": {"gogc": 200}}},
     "spec.objective.settings: Forbidden: settings go with strategy Fixed only"),
    ("an action without a promise", {"slos": [{**slo()["slos"][0], "action": "Switch"}]},
     "action says what follows when max is exceeded: give max, too"),
    ("an unknown action", {"slos": [{**slo()["slos"][0], "max": "1s", "action": "Page"}]},
     'supported values: "RollBack", "StepDown", "Switch"'),
    ("an unknown answer to no data", {"slos": [{**slo()["slos"][0], "onNoData": "Promote"}]},
     'supported values: "Inconclusive", "Ignore", "RollBack"'),
    ("a guard of nothing", {**slo(), "rollback": {"guard": True}},
     "spec.rollback.guard: Invalid value: guard holds the highest acceptable values of SLOs: give one of them a max"),
    ("a guard without SLOs", {"rollback": {"guard": True}}, "guard holds the highest acceptable values of SLOs"),
    ("arms that shrink", {"canary": {"steps": [{"percent": 25}, {"percent": 5}]}}, "each step must have a larger percent than the one before"),
    ("arms that stay", {"canary": {"steps": [{"percent": 25}, {"percent": 25}]}}, "each step must have a larger percent than the one before"),
    ("arms of more than the target", {"canary": {"steps": [{"percent": 101}]}}, "should be less than or equal to 100"),
    ("arms of nothing", {"canary": {"steps": [{"percent": 0}]}}, "should be greater than or equal to 1"),
    ("six steps", {"canary": {"steps": [{"percent": p} for p in range(1, 7)]}}, "must have at most 5 items"),
    ("a pause without a unit", {"canary": {"steps": [{"percent": 5, "pause": "10"}]}}, "'10' is not a duration"),
    ("a pause of a day", {"canary": {"steps": [{"percent": 5, "pause": "24h"}]}}, "must be from 0s to 1h"),
    ("steps and replicas", {"canary": {"replicas": 2, "steps": [{"percent": 5}]}}, "steps say how many pods there are: leave replicas away"),
    ("a GOGC of 0", fixed(gogc=0), "should be greater than or equal to 1"),
    ("a GOGC below 0", fixed(gogc=-1), "should be greater than or equal to 1"),
    ("a GOGC that is far too large", fixed(gogc=10001), "should be less than or equal to 10000"),
    ("a GOGC that is text", fixed(gogc="off"), "must be of type integer"),
    ("440Mi as a Go limit", fixed(goMemLimit="440Mi"), "440Mi is a Kubernetes quantity; Go wants 440MiB"),
    ("2Gi as a lowest limit", {"bounds": {"minAllowed": {"goMemLimit": "2Gi"}}},
     "spec.bounds.minAllowed.goMemLimit: Invalid value: \"2Gi\": 2Gi is a Kubernetes quantity; Go wants 2GiB"),
    ("a decimal memory size", fixed(goMemLimit="1.5GiB"), NOT_A_SIZE),
    ("a memory size in MB", fixed(goMemLimit="440MB"), NOT_A_SIZE),
    ("a memory size of nothing", fixed(goMemLimit="0MiB"), NOT_A_SIZE),
    ("a negative memory size", fixed(goMemLimit="-1MiB"), NOT_A_SIZE),
    ("a memory size beyond 64 bits", fixed(goMemLimit="9999999TiB"), NOT_A_SIZE),
    ("a memory size with a space", fixed(goMemLimit="440 MiB"), NOT_A_SIZE),
    ("an endless memory size", fixed(goMemLimit="1" * 100), "Too long"),
    ("min greater than max", {"bounds": {"minAllowed": {"gogc": 300}, "maxAllowed": {"gogc": 200}}},
     "spec.bounds: Invalid value: minAllowed.gogc (50 unless it is set) must not be greater than maxAllowed.gogc"),
    ("min greater than the default max", {"bounds": {"minAllowed": {"gogc": 500}}}, "must not be greater than maxAllowed.gogc"),
    ("max smaller than the default min", {"bounds": {"maxAllowed": {"gogc": 40}}}, "minAllowed.gogc (50 unless it is set)"),
    ("a limit of all memory", {"bounds": {"maxAllowed": {"goMemLimitPercent": 100}}}, "should be less than or equal to 95"),
    ("a target that is no Deployment", target(kind="StatefulSet"), 'spec.targetRef.kind: Unsupported value: "StatefulSet": supported values: "Deployment"'),
    ("a target of another API", target(apiVersion="extensions/v1beta1"), 'supported values: "apps/v1"'),
    ("a target without name", target(name=""), "spec.targetRef.name"),
    ("a target in another namespace", target(name="shop/checkout"), "must be the name of a Deployment in this namespace"),
    ("a target with a namespace", target(namespace="other"), 'unknown field "spec.targetRef.namespace"'),
    ("no target", {"targetRef": None}, "spec.targetRef: Required value"),
    ("a container that cannot be", {"containerName": "App!"}, "must be the name of a container of the target's pods"),
    ("a misspelt field", {"updatePolicy": {"mode": "Canary"}}, 'unknown field "spec.updatePolicy.mode"'),
    ("port 0", {"runtimeMetrics": {"port": 0}}, "spec.runtimeMetrics.port"),
    ("a port beyond the last", {"runtimeMetrics": {"port": 65536}}, "should be less than or equal to 65535"),
    ("a relative path", {"runtimeMetrics": {"path": "debug/pprof"}}, "must begin with /"),
    ("a path that smuggles a header", {"runtimeMetrics": {"path": "/debug\r\nHost: x"}}, "must be a plain URL path"),
    ("a path with a query", {"runtimeMetrics": {"path": "/debug?x=1"}}, "must be a plain URL path"),
    ("a whole URL as path", {"runtimeMetrics": {"path": "http://169.254.169.254/"}}, "must begin with /"),
    ("an interval in words", {"runtimeMetrics": {"interval": "15 seconds"}}, NOT_A_DURATION),
    ("an interval without unit", {"runtimeMetrics": {"interval": "15"}}, NOT_A_DURATION),
    ("an interval as a number", {"runtimeMetrics": {"interval": 15}}, "must be of type string"),
    ("an interval of no time", {"runtimeMetrics": {"interval": "0s"}}, "must be from 1s to 5m"),
    ("an interval below a second", {"runtimeMetrics": {"interval": "999ms"}}, "must be from 1s to 5m"),
    ("an interval of hours", {"runtimeMetrics": {"interval": "2h"}}, "must be from 1s to 5m"),
    ("a duration in days", {"rollback": {"coolDown": "7d"}}, NOT_A_DURATION),
    ("a negative duration", {"rollback": {"watchFor": "-5m"}}, NOT_A_DURATION),
    ("a duration that overflows", {"rollback": {"watchFor": "9999999999h"}}, NOT_A_DURATION),
    ("a duration that only just fits", {"rollback": {"watchFor": "99999h99999h99999h"}}, "must be from 0s to 24h"),
    ("a trial that is too short to decide", {"canary": {"interval": "15s", "maxDuration": "4m59s"}},
     "spec.canary.maxDuration: Invalid value: maxDuration must hold at least 20 intervals"),
    ("intervals that are too long for the trial", {"canary": {"interval": "5m"}}, "maxDuration must hold at least 20 intervals"),
    ("no canary pods", {"canary": {"replicas": 0}}, "should be greater than or equal to 1"),
    ("too many canary pods", {"canary": {"replicas": 11}}, "should be less than or equal to 10"),
    ("an old baseline", {"canary": {"baseline": "Target"}}, 'supported values: "Fresh"'),
    ("no samples", {"canary": {"minSamples": 0}}, "should be greater than or equal to 1"),
    ("a history without end", {"history": {"successfulTrialsLimit": 51}}, "should be less than or equal to 50"),
    ("an SLO without a source", {"slos": [{"name": "p99"}]}, "name one source, podHistogram, podRatio, podGauge, prometheus or runtime"),
    ("an SLO with two sources", {"slos": [{**slo()["slos"][0], **ratio()["slos"][0]}]}, "name one source, podHistogram, podRatio, podGauge, prometheus or runtime"),
    ("a share's limit that is a duration", {"slos": [{**ratio()["slos"][0], "max": "1s"}]}, "every other source has a max of its own, such as podRatio.max"),
    ("an SLO with three sources", {"slos": [{**slo()["slos"][0], **ratio()["slos"][0], **gauge()["slos"][0]}]}, "name one source, podHistogram, podRatio, podGauge, prometheus or runtime"),
    ("a gauge's limit that is a duration", {"slos": [{**gauge()["slos"][0], "max": "1s"}]}, "every other source has a max of its own"),
    ("a gauge's limit with a unit", gauge(max="1k"), "must be a decimal number from 0 on"),
    ("a gauge's limit below 0", gauge(max="-1"), "must be a decimal number from 0 on"),
    ("a gauge without a metric", {"slos": [{"name": "queue", "podGauge": {}}]}, "podGauge.metric: Required value"),
    ("a gauge that is a query", gauge(metric="max(x)"), "must be the name of a Prometheus metric"),
    ("a query that asks the same for all", query(query="up"), "the query must tell the arms apart"),
    ("a query without end", query(query="{{ pods }}" + "x" * 2048), "may not be more than 2048"),
    ("an address that is a path", query(address="/prometheus"), "must be an http:// or https:// address"),
    ("an address of another kind", query(address="file:///etc/passwd"), "must be an http:// or https:// address"),
    ("a window that is too short for Prometheus", query(window="5s"), "must be from 15s to 10m"),
    ("a header that splits the request", query(headers={"X-A": "b\r\nX-C: d"}), "must be plain ASCII text"),
    ("a header that is a secret", query(headers={"authorization": "Bearer x"}), "give credentials by authorization"),
    ("a header that asks for two answers", query(headers={"Expect": "100-continue"}), "what belongs to the connection can't be set"),
    ("a header that is none", query(headers={"X A": "b"}), "names of headers are of letters, digits and dashes"),
    ("credentials from nowhere", query(authorization={"key": "x"}), "authorization.secretName: Required value"),
    ("credentials of another namespace", query(authorization={"secretName": "other/prom"}), "must be the name of a Secret"),
    ("a limit of a query that is a duration", query(max="300ms"), "must be a decimal number from 0 on"),
    ("a figure that is none", runtime(figure="Heap"), 'supported values: "GcPause", "GcCpu", "MarkAssist", "Throttling"'),
    ("a share of the runtime above all", runtime(figure="Throttling", max="150%"), "a share of at most 100%"),
    ("a pause in percent", runtime(max="5%"), "max is a time for GcPause"),
    ("a share that is a time", runtime(figure="Throttling", max="5ms"), "a share of at most 100% for the others"),
    ("a time without what may be exceeded", slo(maxFor="2m"), "give max, too"),
    ("a time that is too short", slo(max="1s", maxFor="10ms"), "must be from 1s to 1h"),
    ("a share without its sign", ratio(max="1"), "must be a share in percent, such as 0.5%"),
    ("a share of nothing", ratio(maxIncrease="0.0%"), "must be more than 0% and at most 100%"),
    ("a share above all", ratio(max="101%"), "must be more than 0% and at most 100%"),
    ("a share without a total", {"slos": [{"name": "errors", "podRatio": {"bad": {"metric": "x"}}}]}, "podRatio.total: Required value"),
    ("a counter that is a query", ratio(bad={"metric": "rate(x[1m])"}), "must be the name of a Prometheus metric"),
    ("a prefix of a label that cannot be", ratio(bad={"metric": "x", "labelPrefixes": {"a-b": "5"}}), "label names must be those of Prometheus"),
    ("a unit that is none", slo(podHistogram={"unit": "Minutes"}), 'supported values: "Seconds", "Milliseconds"'),
    ("an SLO without a metric", {"slos": [{"name": "p99", "podHistogram": {}}]}, "spec.slos[0].podHistogram.metric: Required value"),
    ("an SLO without a name", {"slos": [{"podHistogram": {"metric": "x"}}]}, "spec.slos[0].name: Required value"),
    ("an SLO with the name of a metric that is always there", slo(name="gc-cpu"), "choose another name"),
    ("two SLOs of one name", {"slos": slo()["slos"] * 2}, 'Duplicate value: {"name":"latency-p99"}'),
    ("nine SLOs", {"slos": [slo(name=f"s{i}")["slos"][0] for i in range(9)]}, "Too many: 9: must have at most 8 items"),
    ("an SLO name with a space", slo(name="my slo"), "must be of lower-case letters, digits and dashes"),
    ("a metric with its suffix", slo(podHistogram={"metric": "latency_bucket"}), "must be the histogram's own name, without _bucket"),
    ("a metric that is a query", slo(podHistogram={"metric": "rate(x[1m])"}), "must be the name of a Prometheus metric"),
    ("the quantile 1", slo(podHistogram={"quantile": "1"}), 'must be a decimal between 0 and 1, in quotes, such as "0.99"'),
    ("the quantile 0", slo(podHistogram={"quantile": "0.0"}), "must be a decimal between 0 and 1"),
    ("a quantile of 99", slo(podHistogram={"quantile": "99"}), "must be a decimal between 0 and 1"),
    ("a quantile that is no number", slo(podHistogram={"quantile": "NaN"}), "must be a decimal between 0 and 1"),
    ("a quantile without quotes", slo(podHistogram={"quantile": 0.99}), "must be of type string"),
    ("a filter by bucket", slo(podHistogram={"labels": {"le": "0.1"}}), "le is the bucket's own label"),
    ("a label that cannot be", slo(podHistogram={"labels": {"a-b": "c"}}), "label names must be those of Prometheus"),
    ("an endless label", slo(podHistogram={"labels": {"a" * 129: "c"}}), "of at most 128 characters"),
    ("a max of no time", slo(max="0s"), "must be from 1ms to 1h"),
    ("a max without unit", slo(max="300"), NOT_A_DURATION),
    ("a tolerance of nothing", slo(maxRegressionPercent=0), "should be greater than or equal to 1"),
    ("a tolerance of more than all", slo(maxRegressionPercent=101), "should be less than or equal to 100"),
]

# What a trial may not say: what it is, what the spec has at a place, and a part of the message. These are the bounds of profiles.
TRIALS_REFUSED = [
    ("an army", "canary.replicas", 2147483647, "should be less than or equal to 40"),
    ("no pods", "canary.replicas", 0, "should be greater than or equal to 1"),
    ("a window of no time", "canary.interval", "0s", "must be a duration from 1s to 5m"),
    ("a window that is none", "canary.interval", "soon", "must be a duration from 1s to 5m"),
    ("a warm-up of hours", "canary.warmUp", "61m", "must be a duration from 0s to 1h"),
    ("days of measuring", "canary.maxDuration", "25h", "must be a duration from 10s to 24h"),
    ("days of watching", "canary.watchFor", "25h", "must be a duration from 0s to 24h"),
    ("no requests", "canary.minSamples", 0, "should be greater than or equal to 1"),
    ("a number that overflows", "number", 4294967297, "should be less than or equal to 1000000000"),
    ("no number", "number", 0, "should be greater than or equal to 1"),
    ("a GOGC that Go would not start with", "to.gogc", "lots", "must be a whole number or off"),
    ("a quantity of Kubernetes", "to.goMemLimit", "440Mi", "must be a number of bytes in Go's syntax"),
    ("old settings that Go would not start with", "from.gogc", "-", "must be a whole number or off"),
    ("a saving that is no number", "minSavingPercent", "nan", "must be from -100 to 100"),
    ("any loss", "minSavingPercent", "-101", "must be from -100 to 100"),
    ("no deadline", "deadline", None, "spec.deadline"),
    ("no plan", "canary", None, "spec.canary"),
    ("a tolerance of everything", "slos", [{"name": "p99", "maxRegressionPercent": 100000}], "should be less than or equal to 100"),
    ("a port that is none", "slos", [{"name": "p99", "podHistogram": {"port": 0}}], "should be greater than or equal to 1"),
    ("an endless label", "slos", [{"name": "p99", "podHistogram": {"labels": {"a" * 129: "c"}}}], "must have at most 128 characters"),
    ("a pause that is a text", "slos", [{"name": "q", "runtime": {"figure": "GcPause", "max": "long"}}], "must be a time or a share in percent"),
    ("an answer's window of days", "slos", [{"name": "q", "prometheus": {"query": "x", "window": "25h"}}], "must be a duration from 15s to 10m"),
    ("a gauge's limit that is none", "slos", [{"name": "q", "podGauge": {"metric": "x", "max": "inf"}}], "must be a number from 0 on"),
    ("a quantile above 1", "slos", [{"name": "p99", "quantile": "7"}], "must be a decimal between 0 and 1"),
]

DEFAULTS = {
    "updatePolicy": {"updateMode": "Off", "apply": "Restart", "suspend": False, "revertOnDeletion": False},
    "objective": {"type": "Balanced", "strategy": "Model", "memoryPricePerGiBCores": "0.083"},
    "bounds": {"minAllowed": {"gogc": 50}, "maxAllowed": {"gogc": 400, "goMemLimitPercent": 90}},
    "runtimeMetrics": {"source": "Pages", "port": 6060, "path": "/debug/pprof", "interval": "15s", "allowHostNetwork": False},
    "canary": {
        "replicas": 1, "baseline": "Fresh", "warmUp": "2m", "interval": "15s", "maxDuration": "30m", "minSamples": 2000, "allowDuplicates": False,
    },
    "rollback": {"watchFor": "30m", "coolDown": "6h", "guard": False},
    "history": {"successfulTrialsLimit": 5, "unsuccessfulTrialsLimit": 5},
}


class Admission(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        kubectl("create", "namespace", NAMESPACE)
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        for kind in ("goruntimeprofiles", "goruntimetrials"):
            cls.server.send("DELETE", f"{API}/{kind}")
        cls.server.close()
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")

    def create(self, thing, dry_run=True):
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.server.send("POST", f"{API}/{thing['kind'].lower()}s{query}", thing)

    def created(self, thing):
        """Creates it for the time of one test."""
        status, answer = self.create(thing, dry_run=False)
        self.assertEqual(status, 201, answer.get("message"))
        path = f"{API}/{thing['kind'].lower()}s/{thing['metadata']['name']}"
        self.addCleanup(lambda: self.server.send("DELETE", path))
        return path, answer

    def patch(self, path, change):
        return self.server.send("PATCH", f"{path}?fieldValidation=Strict", change, "application/merge-patch+json")

    def test_what_a_person_may_write_is_accepted(self):
        for name, spec in ACCEPTED:
            with self.subTest(name):
                status, answer = self.create(profile(spec))
                self.assertEqual(status, 201, answer.get("message"))

    def test_bad_input_is_refused_with_what_to_do(self):
        for name, spec, expected in REFUSED:
            with self.subTest(name):
                status, answer = self.create(profile(spec))
                self.assertIn(status, (400, 422), f"it was accepted: {json.dumps(answer.get('spec'))}")
                self.assertIn(expected, answer["message"])

    def test_no_rule_fails_by_itself(self):
        """A rule that cannot be evaluated would show its own source instead of its message."""
        for name, spec, _ in REFUSED:
            with self.subTest(name):
                message = self.create(profile(spec))[1].get("message", "")
                for symptom in ("no such key", "evaluation error", "failed rule", "rule evaluation"):
                    self.assertNotIn(symptom, message)

    def test_a_name_that_does_not_fit_into_labels_is_refused(self):
        self.assertEqual(self.create(profile(name="a" * 63))[0], 201)
        status, answer = self.create(profile(name="a" * 64))
        self.assertEqual(status, 422)
        self.assertIn("metadata.name must be at most 63 characters", answer["message"])

    def test_defaults_are_those_of_the_docs(self):
        _, answer = self.create(profile())
        spec = answer["spec"]
        spec.pop("targetRef")
        self.assertEqual(spec, DEFAULTS)
        _, answer = self.create(profile(slo()))
        self.assertEqual(answer["spec"]["slos"][0], {
            "name": "latency-p99",
            "maxRegressionPercent": 10,
            "action": "RollBack",
            "onNoData": "Inconclusive",
            "podHistogram": {
                "metric": "http_request_duration_seconds", "port": 8080, "path": "/metrics", "quantile": "0.99",
            },
        })
        _, answer = self.create(profile(ratio()))
        self.assertEqual(answer["spec"]["slos"][0]["podRatio"]["maxIncrease"], "0.5%")

    def test_every_default_is_named_in_its_description(self):
        def walk(path, schema):
            default = schema.get("default")
            if default is not None and default != {}:
                words = re.findall(r"[^\s\"]+", schema["description"])
                text = str(default).lower() if isinstance(default, bool) else str(default)
                with self.subTest(path):
                    self.assertIn(text, words)
                    self.assertIn("default", schema["description"])
            for name, child in schema.get("properties", {}).items():
                walk(f"{path}.{name}", child)
            if isinstance(schema.get("items"), dict):
                walk(f"{path}[]", schema["items"])

        walk("grp", self.schema("goruntimeprofiles"))

    def test_every_field_is_documented(self):
        def walk(path, schema):
            with self.subTest(path):
                self.assertGreater(len(schema.get("description", "")), 4, "this field has no description")
            for name, child in schema.get("properties", {}).items():
                if path not in ("grp", "grt") or name != "metadata":
                    walk(f"{path}.{name}", child)
            if isinstance(schema.get("items"), dict):
                walk(f"{path}[]", schema["items"])

        walk("grp", self.schema("goruntimeprofiles"))
        walk("grt", self.schema("goruntimetrials"))

    def schema(self, plural):
        _, crd = self.server.send("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}")
        return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    def test_the_reference_page_has_every_field_and_default(self):
        page = (ROOT / "docs/profile-reference.md").read_text()
        rows = dict(re.findall(r"^\| `([\w.\[\]]+)` \| ([^|]*) \|", page, re.MULTILINE))

        def walk(path, schema):
            if "properties" in schema:
                for name, child in schema["properties"].items():
                    walk(f"{path}.{name}" if path else name, child)
            elif isinstance(schema.get("items"), dict):
                # The fields of an SLO have a table of their own.
                walk("" if path == "slos" else f"{path}[]", schema["items"])
            else:
                with self.subTest(path):
                    self.assertIn(path, rows, "no row in the table")
                    if "default" in schema:
                        default = schema["default"]
                        text = str(default).lower() if isinstance(default, bool) else str(default)
                        self.assertEqual(rows[path].strip("`\" "), text)
                    else:
                        self.assertNotIn("`", rows[path])

        walk("", self.schema("goruntimeprofiles")["properties"]["spec"])
        for plural in ("goruntimeprofiles", "goruntimetrials"):
            for name in self.schema(plural)["properties"]["status"]["properties"]:
                with self.subTest(f"{plural} status.{name}"):
                    self.assertRegex(page, rf"`(status\.)?{name}(\[\])?`")

    def test_the_crds_are_structural(self):
        for plural in ("goruntimeprofiles", "goruntimetrials"):
            _, crd = self.server.send("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}")
            conditions = {c["type"]: c for c in crd["status"]["conditions"]}
            self.assertEqual(conditions["NamesAccepted"]["status"], "True")
            self.assertNotIn("NonStructuralSchema", conditions)

    def test_the_target_cannot_be_changed(self):
        path, _ = self.created(profile())
        status, answer = self.patch(path, {"spec": {"targetRef": {"name": "other"}}})
        self.assertEqual(status, 422)
        self.assertIn("targetRef cannot be changed: delete this profile and create one for the new target", answer["message"])
        status, answer = self.patch(path, {"spec": {"updatePolicy": {"updateMode": "Canary"}}})
        self.assertEqual(status, 200, answer.get("message"))

    def test_a_person_can_go_to_fixed_settings_and_back(self):
        path, _ = self.created(profile())
        status, answer = self.patch(path, {"spec": {"objective": {"strategy": "Fixed", "settings": {"gogc": 10}}}})
        self.assertEqual(status, 200, answer.get("message"))
        status, answer = self.patch(path, {"spec": {"objective": {"strategy": "Model"}}})
        self.assertEqual(status, 422)
        self.assertIn("remove settings, or set strategy to Fixed", answer["message"])
        status, answer = self.patch(path, {"spec": {"objective": {"strategy": "Model", "settings": None}}})
        self.assertEqual(status, 200, answer.get("message"))

    def test_writing_the_spec_leaves_status_alone_and_the_other_way_round(self):
        path, made = self.created(profile())
        status, answer = self.patch(path + "/status", {"spec": {"containerName": "x"}, "status": {"phase": "Observing"}})
        self.assertEqual(status, 200, answer.get("message"))
        self.assertNotIn("containerName", answer["spec"])
        self.assertEqual(answer["metadata"]["generation"], made["metadata"]["generation"])
        _, answer = self.patch(path, {"spec": {"containerName": "x"}, "status": {"phase": "Tuned"}})
        self.assertEqual(answer["status"]["phase"], "Observing")
        self.assertEqual(answer["metadata"]["generation"], made["metadata"]["generation"] + 1)

    def test_a_trial_within_the_bounds_is_accepted(self):
        for spec in ({}, {"number": 1000000000}, {"minSavingPercent": "1e-05"}, {"to": {"gogc": "off", "goMemLimit": "1048577B"}},
                     {"slos": [{"name": "p99", "quantile": "1e-05", "max": "300ms", "maxRegressionPercent": 5}]}):
            with self.subTest(spec):
                status, answer = self.create(trial(**spec))
                self.assertEqual(status, 201, answer.get("message"))

    def test_a_trial_out_of_the_bounds_is_refused(self):
        for name, place, value, expected in TRIALS_REFUSED:
            with self.subTest(name):
                thing = trial()
                spec = thing["spec"]
                *path, last = place.split(".")
                for part in path:
                    spec = spec[part]
                spec[last] = value
                if value is None:
                    spec.pop(last)
                status, answer = self.create(thing)
                self.assertEqual(status, 422, f"it was accepted: {answer.get('spec')}")
                self.assertIn(expected, answer["message"])

    def test_a_trials_status_counts_nothing_below_zero(self):
        path, _ = self.created(trial())
        for status in ({"windows": -1}, {"windows": 4294967297}, {"samples": {"canary": -1}}, {"metrics": [{"name": "x", "violations": -1}]},
                       {"phase": "Promoted"}):
            with self.subTest(status):
                code, _ = self.patch(path + "/status", {"status": status})
                self.assertEqual(code, 422)

    def test_a_trials_spec_cannot_be_changed(self):
        path, _ = self.created(trial())
        for change in ({"to": {"gogc": "300"}}, {"container": "other"}, {"requestedBy": "user"}):
            with self.subTest(change):
                status, answer = self.patch(path, {"spec": change})
                self.assertEqual(status, 422)
                self.assertIn("the spec of a trial cannot be changed", answer["message"])
        status, answer = self.patch(path, {"metadata": {"labels": {"team": "shop"}}})
        self.assertEqual(status, 200, answer.get("message"))

    def test_a_trial_carries_its_story(self):
        path, _ = self.created(trial())
        story = {
            "phase": "Measuring",
            "verdict": "",
            "windows": 3,
            "samples": {"canary": 1200, "baseline": 1180},
            "metrics": [{"name": "gc-cpu", "canary": "4.1%", "baseline": "8.0%", "low": "-52.0%", "high": "-44.0%",
                         "statistics": {"n": 3, "mean": "-0.66", "m2": "0.01"}}],
            "steps": [{"at": "2026-01-02T03:04:05Z", "phase": "Measuring", "message": "warm after 4 collections"}],
        }
        status, answer = self.patch(path + "/status", {"status": story})
        self.assertEqual(status, 200, answer.get("message"))
        self.assertEqual(answer["status"], story)
        status, answer = self.patch(path + "/status", {"status": {"steps": story["steps"] * 31}})
        self.assertEqual(status, 422)
        self.assertIn("must have at most 30 items", answer["message"])

    def test_columns(self):
        path, _ = self.created(profile())
        condition = {"type": "Ready", "status": "True", "reason": "Working", "message": "All is well.",
                     "lastTransitionTime": "2026-01-02T03:04:05Z"}
        status, answer = self.patch(path + "/status", {"status": {
            "phase": "Trial", "current": {"gogc": "100", "goMemLimit": "300MiB"}, "observed": {"gcCpuPercent": "12.3%"},
            "recommendation": {"gogc": 210, "goMemLimit": "400MiB", "expectedSavingPercent": "7.1%"},
            "activeTrial": "checkout-1", "conditions": [condition]}})
        self.assertEqual(status, 200, answer.get("message"))
        path, _ = self.created(trial())
        status, answer = self.patch(path + "/status", {"status": {
            "phase": "Ended", "verdict": "Promote", "reason": "Better", "p99ChangePercent": "-3.1%", "gcChangePercent": "-50.2%"}})
        self.assertEqual(status, 200, answer.get("message"))

        header, row = self.table("grp")
        self.assertEqual(header, ["NAME", "TARGET", "MODE", "PHASE", "GOGC", "MEMLIMIT", "GC-CPU", "SAVING", "READY", "AGE"])
        self.assertEqual(row[:-1], ["checkout", "checkout", "Off", "Trial", "100", "300MiB", "12.3%", "7.1%", "True"])
        header, row = self.table("grp", "-o", "wide")
        self.assertEqual(header[10:], ["RECOMMENDED GOGC", "RECOMMENDED MEMLIMIT", "STRATEGY", "TRIAL", "REASON"])
        self.assertEqual(row[10:], ["210", "400MiB", "Model", "checkout-1", "Working"])
        header, row = self.table("grt")
        self.assertEqual(header, ["NAME", "PROFILE", "TRIAL", "FROM", "TO", "PHASE", "VERDICT", "REASON", "P99Δ", "GCΔ", "AGE"])
        self.assertEqual(row[:-1], ["checkout-1", "checkout", "1", "Go's defaults", "GOGC=200 GOMEMLIMIT=400MiB", "Ended",
                                    "Promote", "Better", "-3.1%", "-50.2%"])
        self.assertIn("goruntimeprofile.gopacer.dev/checkout", kubectl("-n", NAMESPACE, "get", "gopacer", "-o", "name"))

    def table(self, kind, *arguments):
        lines = kubectl("-n", NAMESPACE, "get", kind, *arguments).splitlines()
        return [re.split(r"\s{2,}", line.strip()) for line in lines[:2]]

    def test_explain_reads_well(self):
        text = kubectl("explain", "grp.spec.objective.settings.goMemLimit")
        self.assertIn("such as", text)
        self.assertIn("850MiB", text)
        fields = kubectl("explain", "grp.spec", "--recursive")
        for field in ("targetRef", "updateMode", "goMemLimitPercent", "maxRegressionPercent", "coolDown"):
            self.assertIn(field, fields)
        self.assertIn("statistics", kubectl("explain", "grt.status", "--recursive"))

    def test_every_example_is_accepted(self):
        examples = sorted((ROOT / "examples").glob("*.yaml"))
        self.assertGreater(len(examples), 4)
        for example in examples:
            with self.subTest(example.name):
                # The file is what people apply, so kubectl reads it here too.
                out = kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "--validate=strict", "-f", str(example))
                self.assertIn("(server dry run)", out)

    def test_what_a_fleet_has_in_common_is_a_patch(self):
        # The namespace of the files is theirs; here there is one.
        out = kubectl("kustomize", str(ROOT / "examples/fleet"))
        self.assertIn("(server dry run)", kubectl("-n", NAMESPACE, "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=out))
        self.assertEqual(out.count("type: Throughput"), 2)
        self.assertEqual(out.count("updateMode: Canary"), 1)

    def test_the_chart_ships_the_same_crds(self):
        here = {f.name: f.read_bytes() for f in (ROOT / "crds").glob("*.yaml")}
        chart = {f.name: f.read_bytes() for f in (ROOT / "charts/gopacer/crds").glob("*.yaml")}
        self.assertEqual(sorted(here), ["gopacer.dev_goruntimeprofiles.yaml", "gopacer.dev_goruntimetrials.yaml"])
        self.assertEqual(here, chart)


if __name__ == "__main__":
    unittest.main(verbosity=2)
