#!/usr/bin/env bash
# Checks that the running cluster does what gopacer and its tests count on. One line per point; exit code 1 if any fails.
. "$(dirname "$0")/lib.sh"
[ -f "$node_run/kubeconfig" ] || die "verify: no cluster is up; run ./dev cluster up"
export KUBECONFIG=$node_run/kubeconfig
failed=0
kubectl() { "$bin/kubectl" -n verify "$@"; }
get() { kubectl get "$1" -o jsonpath="$2"; }
check() { # WHAT SECONDS COMMAND...
  local what=$1 seconds=$2
  shift 2
  if wait_until "$seconds" "$@"; then
    say "ok    $what"
  else
    say "FAIL  $what"
    failed=1
  fi
}
clean_up() { kubectl delete --ignore-not-found --wait=false -f "$here/manifests/verify.yaml" >/dev/null 2>&1; }
trap clean_up EXIT

read -r _ _ image < <("$ROOT/tests/workloads/build.sh" checkout)
"$ROOT/tools/cluster.sh" load "$image" >/dev/null 2>&1
kubectl apply -f "$here/manifests/verify.yaml" >/dev/null
check "a deployment of two pods gets ready" 60 kubectl rollout status deployment/app --timeout=$((60 * patience))s
pod=$(kubectl get pods -l app=app -o name | sed -n 1p)
ip=$(get "$pod" '{.status.podIP}') cluster_ip=$(get service/app '{.spec.clusterIP}')

check "the host reaches a pod" 5 curl -sf -m $((2 * patience)) "http://$ip:8080/healthz"
check "the host reaches a service" 5 curl -sf -m $((2 * patience)) "http://$cluster_ip/healthz"
check "logs" 5 eval 'kubectl logs '"$pod"' | grep -q .'
check "exec" 10 eval 'kubectl exec '"$pod"' -- /bin/checkout --help 2>&1 | grep -q live-heap'
check "a pod over its memory limit is OOMKilled" 30 \
  eval '[ "$(get pod/greedy "{.status.containerStatuses[0].state.terminated.reason}")" = OOMKilled ]'

token=$(kubectl create token reader)
cadvisor() { curl -sf -m $((5 * patience)) --cacert "$node_run/pki/ca.crt" -H "Authorization: Bearer $token" "https://$node_ip:10250/metrics/cadvisor"; }
limit_is_seen() { cadvisor | grep -q '^container_spec_memory_limit_bytes{container="app".*pod="app-.* 1.34217728e+08'; }
check "the kubelet's /metrics/cadvisor with a bearer token and nodes/metrics only" 30 limit_is_seen
no_more_than_metrics() { [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$node_run/pki/ca.crt" -H "Authorization: Bearer $token" "https://$node_ip:10250/pods")" = 403 ]; }
check "that token opens nothing else of the kubelet" 5 no_more_than_metrics
# Samples carry their time: the newest of the pod's CPU counters must be no older than 3 s.
is_fresh() {
  cadvisor | awk -v now="$(date +%s%3N)" -v patience="$patience" '/^container_cpu_usage_seconds_total\{container="app"/ {if (now - $NF < 3000 * patience) fresh = 1} END {exit !fresh}'
}
check "its samples are fresh" 10 is_fresh

kubectl set env deployment/app GOMEMLIMIT=80MiB >/dev/null
check "a change of env rolls out" 60 kubectl rollout status deployment/app --timeout=$((60 * patience))s
check "metrics.k8s.io: kubectl top" 60 kubectl top pods
exit $failed
