#!/usr/bin/env bash
# What a GOGC costs a service: one line per value with GC's share of its CPU, CPU per request, memory and
# latency, under a CPU limit as a pod would have it (a cgroup with a CFS quota; root only).
#   measure.sh [--workload checkout|caddy] [--cpus 1] [--gomaxprocs 2] [--rate 400] [--warm 10] [--seconds 20]
#              [--gogc "10 50 100"] [-- flags of checkout]
# Service and load go before everything else on the host. Even so it should be quiet for the latencies to mean anything.
. "$(dirname "$0")/../../tools/common.sh"

workload=checkout cpus=1 procs=2 rate=400 seconds=20 warm=10 values="10 50 100 200 400"
while [ $# -gt 0 ]; do
  case $1 in
    --workload) workload=$2 ;;
    --cpus) cpus=$2 ;;
    --gomaxprocs) procs=$2 ;;
    --rate) rate=$2 ;;
    --seconds) seconds=$2 ;;
    --warm) warm=$2 ;;
    --gogc) values=$2 ;;
    --) shift && break ;;
    *) die "measure.sh: unknown option $1; see the head of the script" ;;
  esac
  shift 2
done

case $workload in
  checkout)
    name=checkout
    command=(--listen 127.0.0.1:18080 --pprof-listen 127.0.0.1:16060 --admin-listen 127.0.0.1:19090 --drain 0s "$@")
    ready=http://127.0.0.1:18080/readyz metrics=http://127.0.0.1:18080/metrics pprof=http://127.0.0.1:16060/debug/pprof
    requests_total=http_requests_total target=(--target http://127.0.0.1:18080/checkout --carts)
    ;;
  caddy)
    name=caddy
    command=(run --config "$ROOT/tests/workloads/thirdparty/Caddyfile")
    export PORT=18080 ADMIN=127.0.0.1:12019 SITE=$ROOT/tests/workloads/thirdparty/site
    ready=http://127.0.0.1:18080/healthz metrics=http://127.0.0.1:12019/metrics pprof=http://127.0.0.1:12019/debug/pprof
    requests_total=caddy_http_requests_total target=(--target "http://127.0.0.1:18080/list.json?n=200")
    ;;
  *) die "measure.sh: no workload $workload; there are checkout and caddy" ;;
esac
declare -A program
while read -r key path _; do program[$key]=$path; done < <("$ROOT/tests/workloads/build.sh" "$name" load)
work=$(mktemp -d)
pid=
group=
# The quota is set before the service starts in it, so that it holds from the first instruction.
make_group() {
  if [ -w /sys/fs/cgroup/cgroup.procs ] && [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    group=/sys/fs/cgroup/gopacer-measure-$$
    mkdir "$group"
    awk -v c="$cpus" 'BEGIN { printf "%d 100000\n", c * 100000 }' >"$group/cpu.max"
    echo 10000 >"$group/cpu.weight"
  else
    group=/sys/fs/cgroup/cpu/gopacer-measure-$$
    mkdir "$group"
    awk -v c="$cpus" 'BEGIN { printf "%d\n", c * 100000 }' >"$group/cpu.cfs_quota_us"
    echo 200000 >"$group/cpu.shares"
  fi
}
clean() {
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  [ -z "$group" ] || rmdir "$group" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT
make_group

metric() { # NAME: the sum over its series
  curl -fsS "$metrics" | awk -v n="$1" '$1 == n || index($1, n "{") == 1 { s += $2 } END { printf "%.6f\n", s }'
}

printf '%5s %7s %9s %9s %8s %8s %8s %8s %9s %9s\n' GOGC GC/s GCshare ms/req req/s p50ms p90ms p99ms RSSMiB throttled
for gogc in $values; do
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec env GOGC="$gogc" GOMAXPROCS="$procs" "${program[$name]}" "${command[@]}"
  ) 2>"$work/log" &
  pid=$!
  for _ in $(seq 300); do
    curl -fsS "$ready" >/dev/null 2>&1 && break
    kill -0 "$pid" 2>/dev/null || die "$name ended: $(tail -n 3 "$work/log")"
    sleep 0.1
  done
  send() { nice -n -15 "${program[load]}" "${target[@]}" --rate "$rate" --every 0 --json "$@"; }
  send --duration "${warm}s" >/dev/null # warm up
  cpu=$(metric process_cpu_seconds_total) gcs=$(metric go_gc_duration_seconds_count) requests=$(metric "$requests_total")
  throttled=$(awk '/throttled_(time|usec)/ { print $2 }' "$group/cpu.stat")
  send --duration "${seconds}s" >"$work/report" &
  load=$!
  curl -fsS -o "$work/profile" "$pprof/profile?seconds=$((seconds - 1))"
  wait "$load"
  cpu2=$(metric process_cpu_seconds_total) gcs2=$(metric go_gc_duration_seconds_count) requests2=$(metric "$requests_total")
  rss=$(metric process_resident_memory_bytes)
  throttled2=$(awk '/throttled_(time|usec)/ { print $2 }' "$group/cpu.stat")
  share=$("$ROOT/tools/go.sh" tool pprof -top -cum -nodecount=100000 -nodefraction=0 "$work/profile" 2>/dev/null |
    awk '$NF ~ /^runtime\.(gcBgMarkWorker|gcAssistAlloc|bgsweep)$/ { sub("%", "", $5); s += $5 } END { printf "%.1f", s }')
  jq -r '[.throughput, .p50Ms, .p90Ms, .p99Ms] | @tsv' "$work/report" | awk -v gogc="$gogc" -v cpu="$(awk "BEGIN{print $cpu2-$cpu}")" \
    -v gcs="$(awk "BEGIN{print $gcs2-$gcs}")" -v n="$(awk "BEGIN{print $requests2-$requests}")" -v share="$share" -v rss="$rss" \
    -v secs="$seconds" -v t="$(awk "BEGIN{print ($throttled2-$throttled)/1e9}")" \
    '{ printf "%5s %7.2f %8.1f%% %9.3f %8.1f %8.2f %8.2f %8.2f %9.0f %8.1fs\n", gogc, gcs/secs, share, 1000*cpu/n, $1, $2, $3, $4, rss/1048576, t }'
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  pid=
done
