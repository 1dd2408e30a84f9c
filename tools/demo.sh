#!/usr/bin/env bash
# The whole story on a real cluster:  demo.sh [--live] [--kubeconfig FILE --registry NAME] [--keep]
# With --live another one: a program that serves no pprof is tuned in its running processes, by node agents.
# Without --kubeconfig it brings up the one-node cluster and takes it down at the end (--keep leaves it up).
# With it, the images checkout:dev, caddy:dev, load:dev and gopacer:dev must have been pushed to the registry. All that it makes
# there has names of its own and is removed at the end (--keep leaves it); nothing else is touched.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/demo_run.sh"
cd "$ROOT"

kubeconfig='' registry=localhost keep='' live=''
while [ $# -gt 0 ]; do
  case $1 in
    --kubeconfig) kubeconfig=$2 && shift 2 ;;
    --registry) registry=$2 && shift 2 ;;
    --keep) keep=yes && shift ;;
    --live) live=yes && shift ;;
    *) die "demo: unknown option $1; there are --live, --kubeconfig FILE, --registry NAME and --keep" ;;
  esac
done
name_run
cluster_bin=$CACHE/cluster/bin

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# Shows a command as a person would type it, and runs it.
run() {
  local word
  printf '$'
  for word; do
    case $word in
      *[!A-Za-z0-9_@%+=:,./-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
  "$@"
}
kubectl() { "$cluster_bin/kubectl" -n "$namespace" "$@"; }
helm() { "$cluster_bin/helm" "$@"; }

say "demo 1/3: setting up"
tools/setup.sh
tests/cluster/build.sh >/dev/null
say "demo 2/3: images"
mapfile -t workload_images < <(tests/workloads/build.sh checkout caddy load | awk '{print $3}')
operator_image=$(tools/image.sh | tail -n1)
say "demo 3/3: cluster"
if [ -n "$kubeconfig" ]; then
  export KUBECONFIG=$kubeconfig
else
  already_up=$(tools/cluster.sh status | grep -c '^node: up' || true)
  tools/cluster.sh up >/dev/null
  tools/cluster.sh load "${workload_images[@]}" "$operator_image" 2>/dev/null
  KUBECONFIG=$(tools/cluster.sh dir)/kubeconfig
  export KUBECONFIG
fi

clean() {
  if [ -n "$keep" ]; then
    if is_ours namespace "$namespace"; then how_to_clear; fi
  elif [ -n "$kubeconfig" ] || [ "${already_up:-0}" != 0 ]; then
    clear_place
  else
    tools/cluster.sh down
  fi
}
trap clean EXIT
make_place

# Waits until a trial has ended, and prints its steps as they come.
follow_trial() { # TRIAL SECONDS
  local deadline=$((SECONDS + $2)) shown=0 trial lines
  while [ $SECONDS -lt $deadline ]; do
    trial=$(kubectl get grt "$1" -o json 2>/dev/null) || trial='{}'
    mapfile -t lines < <(jq -r '.status.steps[]? | "  " + (.at | sub(".*T"; "") | sub("Z"; "")) + "  " + .phase + ": " + .message' <<<"$trial")
    for ((; shown < ${#lines[@]}; shown++)); do echo "${lines[$shown]}"; done
    [ "$(jq -r '.status.phase // ""' <<<"$trial")" = Ended ] && return
    sleep 1
  done
  echo "  The trial did not end within $2 s; it shows: $(jq -c '.status | {phase, message}' <<<"$trial")"
  return 1
}

wait_for() { # SECONDS DESCRIPTION COMMAND...
  local deadline=$((SECONDS + $1)) description=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || {
      kubectl get pods,grp,grt -o wide || true
      "$cluster_bin/kubectl" -n "$release_namespace" logs "deployment/$release" --tail=20 || true
      die "demo: $description did not happen in time"
    }
    sleep 0.5
  done
}

# Applies an example's service and sends it load.
serve_under_load() { # NAME RATE PATH LOAD_OPTIONS...
  if [ "$registry" = localhost ]; then
    run kubectl apply -f "examples/$1-service.yaml"
  else
    sed "s#localhost/#$registry/#" "examples/$1-service.yaml" | run kubectl apply -f -
  fi
  send_load "$@"
}

# Open-loop load from a pod.
send_load() { # NAME RATE PATH LOAD_OPTIONS...
  local name=$1 rate=$2 path=$3 address
  shift 3
  address=$(kubectl get service "$name" -o jsonpath='{.spec.clusterIP}')
  kubectl create deployment "load-$name" --image="$registry/load:dev" --dry-run=client -o json -- \
    /bin/load --target "http://$address$path" --rate "$rate" --duration 1h --json "$@" |
    jq '.spec.template.spec.containers[0].imagePullPolicy = "IfNotPresent"' | kubectl apply -f - >/dev/null
  kubectl rollout status "deployment/$name" --timeout=120s >/dev/null
  wait_for 60 "the load on $name" sh -c "'$cluster_bin/kubectl' -n $namespace logs deployment/load-$name --tail=1 | grep -q p99"
}

# The profile of an example, with intervals that let the demo end in minutes.
tune() { # NAME
  run kubectl apply -f "examples/$1.yaml"
  run kubectl patch grp "$1" --type=merge -p '{"spec":{
  "runtimeMetrics":{"interval":"2s"},
  "canary":{"warmUp":"15s","interval":"10s","maxDuration":"8m","minSamples":2000},
  "rollback":{"watchFor":"30s","coolDown":"5s"}}}'
  wait_for 180 "a recommendation for $1" sh -c "'$cluster_bin/kubectl' -n $namespace get grp $1 -o jsonpath='{.status.recommendation.goMemLimit}' | grep -q ."
}

# The pods that a promotion made have to be read before they can be compared.
read_again() { # NAME
  wait_for 180 "a reading of $1's pods" sh -c "'$cluster_bin/kubectl' -n $namespace get grp $1 -o jsonpath='{.status.observed.gcCpuPercent}' | grep -q ."
}

# What a person would look at: the load generator's own latencies, and what gopacer and the kubelet see of the pods.
figures() { # NAME; prints: GC's share, p50, p99, memory
  local latency observed
  latency=$(kubectl logs "deployment/load-$1" --since=25s | jq -s -r '[.[] | select(.p50Ms != null)] | sort_by(.p99Ms) | .[(length / 2 | floor)] | "\(.p50Ms * 10 | round / 10) ms|\(.p99Ms * 10 | round / 10) ms"')
  observed=$(kubectl get grp "$1" -o json | jq -r '.status.observed | "\(.gcCpuPercent)|\(.peakMemory)"')
  echo "${observed%%|*}|$latency|${observed##*|}"
}

if [ -n "$live" ]; then
  . tools/demo_live.sh
  exit
fi

title "A Go service under load"
serve_under_load checkout 400 /checkout --carts
run kubectl get deployments,pods

title "gopacer, installed by helm"
run helm install "$release" charts/gopacer -n "$release_namespace" --skip-crds --set watchNamespace="$namespace" \
  --set image.repository="$registry/gopacer" --set image.tag=dev --wait --timeout 2m | sed -n '/^\$/p; /^STATUS/p'

title "One profile asks for the service to be tuned"
echo "(Its intervals are made short, so that the demo ends in minutes. In production leave the defaults: they take half an hour.)"
tune checkout
before=$(figures checkout)
run kubectl get grp checkout
kubectl get grp checkout -o jsonpath='{.status.recommendation.reason}{"\n"}'

title "gopacer tries the recommendation on a canary beside a fresh baseline"
follow_trial checkout-1 900 || true
read_again checkout
after=$(figures checkout)
run kubectl get grp,grt
kubectl get grt checkout-1 -o jsonpath='{.status.message}{"\n"}'

title "A person asks for bad settings: GOGC=10"
run kubectl patch grp checkout --type=merge -p '{"spec":{"objective":{"strategy":"Fixed","settings":{"gogc":10}}}}'
wait_for 60 "the second trial" kubectl get grt checkout-2
follow_trial checkout-2 900 || true

title "What is left to see"
run kubectl get grp,grt
run kubectl describe grt checkout-2
run kubectl rollout history deployment/checkout
run kubectl get events --field-selector involvedObject.kind=GoRuntimeProfile

title "A service that was not written for gopacer: Caddy"
kubectl scale deployment/load-checkout --replicas=0 >/dev/null
serve_under_load caddy 80 "/list.json?n=200"
tune caddy
caddy_before=$(figures caddy)
follow_trial caddy-1 900 || true
read_again caddy
caddy_after=$(figures caddy)
run kubectl get grp,grt

title "Before and after"
{
  echo "|GC's share of CPU|p50|p99|peak memory"
  echo "checkout before|$before"
  echo "checkout after|$after"
  echo "caddy before|$caddy_before"
  echo "caddy after|$caddy_after"
} | column -t -s '|'
