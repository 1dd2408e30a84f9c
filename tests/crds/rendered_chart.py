"""What `helm template` makes of charts/gopacer, as objects that tests can look at. Needs no cluster."""

import yaml

from harness import ROOT, attempt

CHART = str(ROOT / "charts/gopacer")
# Values of different ways to install gopacer.
ALL_ON = ["--set", "agent.enabled=true,agent.pauses=true,captures.enabled=true,replicas=2,serviceMonitor.enabled=true,prometheusRule.enabled=true",
          "--set", "dashboards.enabled=true,notifications.secret=tell,notifications.ca.configMap=ca,prometheus.ca.configMap=ca,kubelet.ca.configMap=ca,imagePullSecrets[0].name=registry",
          "--set", "extraArgs={--context=one},extraEnv[0].name=LANG,extraEnv[0].value=C,podLabels.team=a,podAnnotations.team=a,priorityClassName=high"]
WAYS = {
    "default": [],
    "everything": ALL_ON,
    "several replicas": ["--set", "replicas=3"],
    "one namespace": ["--set", "watchNamespace=shop"],
    "everything in one namespace": [*ALL_ON, "--set", "watchNamespace=shop"],
    "agents": ["--set", "agent.enabled=true"],
    "by digest": ["--set", "image.digest=sha256:" + 64 * "0"],
    "no rights": ["--set", "rbac.create=false,agent.enabled=true"],
    "bare": ["--set", "service.enabled=false,networkPolicy.enabled=false,cleanup.onUninstall=false,admissionPolicies.enabled=false,rbac.aggregate=false"],
}
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def helm(*arguments):
    status, output, messages = attempt("helm", *arguments)
    if status != 0:
        raise AssertionError(f"helm {' '.join(arguments)}: {messages}")
    return output


def rendered(*values, chart=CHART):
    """The objects that release gopacer in namespace ops consists of."""
    text = helm("template", "gopacer", chart, "-n", "ops", "--kube-version", "1.30.0", *values)
    return [o for o in yaml.safe_load_all(text) if o]


def only(objects, kind):
    [found] = [o for o in objects if o["kind"] == kind]
    return found


def pods_of(objects):
    """What pods are made from, by the name of their container."""
    return {o["spec"]["template"]["spec"]["containers"][0]["name"]: o["spec"]["template"] for o in objects if "template" in o.get("spec", {})}


def unrestricted(pod):
    """What of a pod the Pod Security Standard `restricted` does not allow; and a root file system that can be written."""
    context = pod.get("securityContext", {})
    found = [f"{key} is set" for key in ("hostPID", "hostIPC", "hostNetwork") if pod.get(key)]
    found += [f"volume {v['name']}" for v in pod.get("volumes", []) if not set(v) - {"name"} <= RESTRICTED_VOLUMES]
    for key, wanted in (("runAsNonRoot", True), ("seccompProfile", {"type": "RuntimeDefault"})):
        found += [f"{key} is {context.get(key)}"] if context.get(key) != wanted else []
    found += ["runAsUser is 0"] if context.get("runAsUser") == 0 else []
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        if container.get("securityContext") != wanted:
            found.append(f"container {container['name']} has {container.get('securityContext')}")
        found += [f"host port of {container['name']}" for port in container.get("ports", []) if "hostPort" in port]
    return found


def selector_of(o):
    """The labels by which an object finds pods, and a ServiceMonitor Services; None for kinds that look for nothing."""
    spec = o.get("spec", {})
    if o["kind"] == "Service":
        return spec["selector"]
    if o["kind"] == "NetworkPolicy":
        return spec["podSelector"]["matchLabels"]
    if o["kind"] in ("Deployment", "DaemonSet", "PodDisruptionBudget", "ServiceMonitor", "PodMonitor"):
        return spec["selector"]["matchLabels"]
    return None
