#!/usr/bin/env bash
# Figures of the operator in the local cluster, which is up and has it (./dev test Strangers leaves both there):
#   figures.sh memory     the most memory that it used in a minute with each kind of hostile pod; starts with none
#   figures.sh patches    its PATCH requests a minute with 100 profiles whose services are quiet
. "$(dirname "$0")/lib.sh"
export KUBECONFIG=$node_run/admin.kubeconfig
kubectl=$bin/kubectl
ns=figures
operator=$(pgrep -x gopacer) || die "figures: no operator runs here; ./dev cluster up, then ./dev test DoesWhat"

# service NAME PATH METRICS_PATH: a probe's Deployment of that name, and its profile.
service() {
  cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, namespace: $ns}
spec:
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: localhost/hostile:dev
        imagePullPolicy: IfNotPresent
        resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {memory: 256Mi}}
---
apiVersion: gopacer.dev/v1alpha1
kind: GoRuntimeProfile
metadata: {name: $1, namespace: $ns}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $1}
  runtimeMetrics: {port: 6060, path: $2, interval: ${4:-15s}}
  slos:
  - name: p99
    podHistogram: {port: 6060, path: $3, metric: http_request_duration_seconds, quantile: "0.99"}
    maxRegressionPercent: 10
---
YAML
}

begin() {
  "$kubectl" create namespace $ns >/dev/null
  trap '"$kubectl" delete namespace $ns --wait=true >/dev/null' EXIT
}

peak() { awk '/VmHWM/ {printf "%.1f MiB", $2 / 1024}' "/proc/$operator/status"; }

memory() {
  begin
  local mode
  for mode in none good html endless long-line drip hang bomb binary wide grown redirect-loop; do
    [ $mode = none ] || service "$mode" "/$mode/debug/pprof" "/$mode/metrics" 1s | "$kubectl" apply -f - >/dev/null
    [ $mode = none ] || "$kubectl" -n $ns rollout status "deployment/$mode" --timeout=60s >/dev/null
    echo 5 >"/proc/$operator/clear_refs"
    sleep 60 # the length of the measurement, not a wait for something
    printf '%-14s %s\n' "$mode" "$(peak)"
    [ $mode = none ] || "$kubectl" -n $ns delete "grp/$mode" "deployment/$mode" >/dev/null
  done
}

patches() {
  begin
  local count=${1:-100} i minute
  for ((i = 0; i < count; ++i)); do service "quiet-$i" /good/debug/pprof /good/metrics; done | "$kubectl" apply -f - >/dev/null
  "$kubectl" -n $ns wait deployment --all --for=condition=Available --timeout=300s >/dev/null
  for minute in 1 2 3 4 5; do
    local before
    before=$(requests)
    sleep 60 # likewise
    printf 'minute %s: %s PATCH\n' "$minute" "$(($(requests) - before))"
  done
}

requests() { grep -c '"verb":"patch"' "$node_run/log/audit.log"; }

case ${1:-} in
  memory | patches) "$@" ;;
  *) die "figures.sh memory|patches" ;;
esac
