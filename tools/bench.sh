#!/usr/bin/env bash
# Runs the benchmarks of the release build and prints each against its peer:  bench.sh [REGEX]
. "$(dirname "$0")/common.sh"
cd "$ROOT"
tools/build.sh release gopacer_bench
say "bench: running; compare only figures of one run"
result=$(mktemp)
trap 'rm -f "$result"' EXIT
build/release/tests/bench/gopacer_bench --benchmark_filter="${1:-.}" --benchmark_repetitions=5 \
  --benchmark_report_aggregates_only=true --benchmark_out="$result" --benchmark_out_format=json >/dev/null
jq -r '
  [.benchmarks[] | select(.aggregate_name == "median") | {name: .run_name, ns: .cpu_time, mb: ((.bytes_per_second // 0) / 1e6)}] as $all |
  ($all[] | [.name, (.ns / 1000 * 100 | round / 100 | tostring) + " us", if .mb > 0 then (.mb | round | tostring) + " MB/s" else "-" end]),
  (.benchmarks[] | select(.aggregate_name == "median" and .bytes_per_pod) |
    [.run_name, (.bytes_per_pod | round | tostring) + " B/pod",
     if .pods_in_96MiB then (.pods_in_96MiB | floor | tostring) + " pods in 96 MiB" else "" end]),
  (["Wake/100", "WakeByWalkingAllPods/100"], ["Wake/10000", "WakeByWalkingAllPods/10000"],
   ["HeapPage", "HeapPageByIostreams"], ["MetricsPage", "MetricsPageByIostreams"], ["PodEventOnlyParsed", "PodEvent"]
    | . as [$ours, $peer] | [($all[] | select(.name == $ours) | .ns), ($all[] | select(.name == $peer) | .ns)]
    | select(length == 2) | ["ratio \($peer) / \($ours)", (.[1] / .[0] * 100 | round / 100 | tostring), ""])
  | @tsv' "$result" | column -t -s $'\t'
