#!/usr/bin/env bash
# Figures of the operator in the local cluster, which is up and has it (./dev test Strangers leaves both there):
#   figures.sh memory     the most memory that it used in a minute with each kind of hostile pod; starts with none
#   figures.sh patches    its PATCH requests a minute with 100 profiles whose services are quiet
#   figures.sh aa N       verdicts of N trials of settings that make no difference, as JSON; about three minutes each, two
#                         at a time
#   figures.sh breach N   seconds from a breach to the old settings in all pods, over N runs of the test that shows it, as
#                         JSON; about three minutes each, two at a time
#   figures.sh live N     verdicts of N live trials of settings that make no difference, and how long after the operator's
#                         word the processes had them, as JSON; two to five minutes each, two at a time
. "$(dirname "$0")/lib.sh"
export KUBECONFIG=$node_run/admin.kubeconfig
kubectl=$bin/kubectl
ns=figures
operator=$(pgrep -f '^[^ ]*gopacer operator ') || die "figures: no operator runs here; ./dev cluster up, then ./dev test DoesWhat"

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

# aa_service NAME [POLICY]: a checkout that collects seldom, under load, with a profile that has nothing to try yet.
aa_service() {
  cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, namespace: $ns}
spec:
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: localhost/checkout:dev
        imagePullPolicy: IfNotPresent
        args: [--live-heap=4MiB, --extra-alloc=512KiB, --drain=0s]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
        resources: {requests: {cpu: 20m, memory: 256Mi}, limits: {memory: 256Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: $1, namespace: $ns}
spec: {selector: {app: $1}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: gopacer.dev/v1alpha1
kind: GoRuntimeProfile
metadata: {name: $1, namespace: $ns}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: $1}
  updatePolicy: {updateMode: Canary${2:-}}
  objective: {type: Balanced, strategy: Fixed, settings: {gogc: 300, goMemLimit: 200MiB}}
  runtimeMetrics: {interval: 1s}
  canary: {interval: 1s, warmUp: 5s, maxDuration: 5m, minSamples: 500}
  rollback: {watchFor: 10s, coolDown: 5s}
  history: {successfulTrialsLimit: 50, unsuccessfulTrialsLimit: 50}
  slos:
  - name: latency-p50
    podHistogram: {metric: http_request_duration_seconds, quantile: "0.5", labels: {handler: /checkout}}
    maxRegressionPercent: 20
---
YAML
}

aa_load() { # NAME: requests to it
  local address
  address=$("$kubectl" -n $ns get service "$1" -o 'jsonpath={.spec.clusterIP}')
  "$kubectl" -n $ns create deployment "load-$1" --image=localhost/load:dev --dry-run=client -o json -- \
    /bin/load "--target=http://$address/checkout" --rate=100 --duration=6h --every=1h --carts |
    jq '.spec.template.spec += {dnsPolicy: "Default", terminationGracePeriodSeconds: 0} |
        .spec.template.spec.containers[0].imagePullPolicy = "IfNotPresent"' | "$kubectl" apply -f - >/dev/null
}

# aa_ended TRIAL
aa_ended() { [ "$("$kubectl" -n $ns get grt "$1" --ignore-not-found -o 'jsonpath={.status.phase}')" = Ended ]; }

# Seconds between each turn that the operator wrote and the agent's write of it.
effects() {
  "$kubectl" -n gopacer logs ds/gopacer-agent --tail=-1 >"$work/agent"
  jq -s -c '[.[] | {at: .status.live.renewedAt, block: .status.live.block, trial: .metadata.name}] | unique_by([.trial, .block])' "$work/turns" |
    python3 -c '
import datetime, json, re, sys
turns = json.load(sys.stdin)
seconds = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
writes = [seconds(line.split()[0]) for line in open(sys.argv[1]) if "settings put in force" in line]
found = sorted(min((at - seconds(turn["at"]) for at in writes if 0 <= at - seconds(turn["at"]) < 2), default=9) for turn in turns if turn["at"])
found = [value for value in found if value < 9]
print(json.dumps({"turns": len(found), "medianMilliseconds": round(1000 * found[len(found) // 2]), "worstMilliseconds": round(1000 * found[-1])}) if found else "{}")' "$work/agent"
}

live() {
  work=$(mktemp -d)
  "$kubectl" get grt -A -w -o json >"$work/turns" 2>/dev/null &
  local watcher=$!
  aa "${1:?figures.sh live N}" ", apply: Live"
  kill $watcher
  effects
  rm -rf "$work"
}

aa() {
  local count=${1:?figures.sh aa N} policy=${2:-} names=(one two) number name seen=0 verdict
  local -A gogc=([one]=300 [two]=300)
  begin
  for name in "${names[@]}"; do aa_service "$name" "$policy" | "$kubectl" apply -f - >/dev/null; done
  "$kubectl" -n $ns wait deployment --all --for=condition=Available --timeout=120s >/dev/null
  for name in "${names[@]}"; do aa_load "$name"; done
  for ((number = 1; seen < count; ++number)); do
    for name in "${names[@]}"; do
      wait_until 600 aa_ended "$name-$number" || die "figures: trial $name-$number did not end: $("$kubectl" -n $ns get grp,grt)"
      "$kubectl" -n $ns get grt "$name-$number" \
        -o 'jsonpath={.metadata.name}: {.spec.fromText} to {.spec.toText}: {.status.verdict} by {.status.reason}: {.status.message}{"\n"}' >&2
      seen=$((seen + 1))
      verdict=$("$kubectl" -n $ns get grt "$name-$number" -o 'jsonpath={.status.verdict}')
      # There and back: one such step changes what such a service spends on collection by a tenth. What was undecided is tried again by itself.
      [ "$verdict" != Promote ] || gogc[$name]=$((gogc[$name] == 300 ? 330 : 300))
      [ "$verdict" != RollBack ] || gogc[$name]=$((gogc[$name] + 40))
      "$kubectl" -n $ns patch grp "$name" --type=merge -p "{\"spec\":{\"objective\":{\"settings\":{\"gogc\":${gogc[$name]}}}}}" >/dev/null
    done
  done
  "$kubectl" -n $ns get grt -o json | jq -c '[.items[].status | select(.phase == "Ended")] |
    def of($verdict): map(select(.verdict == $verdict)) | length;
    {trials: length, promoted: of("Promote"), rolledBack: of("RollBack"), inconclusive: of("Inconclusive"),
     reasons: (group_by(.reason) | map({key: .[0].reason, value: length}) | from_entries)}'
}

# breached FILE: one run of the test; its words go there.
breached() {
  "$ROOT/build/release/tests/cluster/cluster_tests" --gtest_filter='Tuning.PutsTheOldSettingsBack*' >"$1" 2>&1 ||
    { say "breach: failed"; grep -E 'ailure|waited|ended before' "$1" >&2; }
}

breach() {
  local count=${1:?figures.sh breach N} i
  work=$(mktemp -d) # not local, or it is gone when the script ends
  trap 'rm -rf "$work"' EXIT
  for ((i = 1; i <= count; i += 2)); do
    breached "$work/$i" &
    [ $i = "$count" ] || breached "$work/$((i + 1))" &
    wait
    say "breach: $((i + 1 < count ? i + 1 : count)) of $count"
  done
  sed -n 's/^from the first window .*: \([0-9.]*\) s$/\1/p' "$work"/* |
    jq -sc --argjson count "$count" 'sort | {runs: length, failed: ($count - length), median: .[(length - 1) / 2 | floor], worst: .[-1], all: .}'
}

requests() { grep -c '"verb":"patch"' "$node_run/log/audit.log"; }

case ${1:-} in
  memory | patches | aa | breach | live) "$@" ;;
  *) die "figures.sh memory|patches|aa N|breach N|live N" ;;
esac
