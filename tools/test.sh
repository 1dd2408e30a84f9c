#!/usr/bin/env bash
# Builds and runs all tests in one ctest run:  test.sh [REGEX]     (only tests whose name matches)
# Unit and API tests run from build/asan with sanitizers, cluster tests from build/release against a real cluster, which is
# brought up before and taken down after, unless it was up already. GOPACER_LONG=1 runs the long cluster tests as well.
. "$(dirname "$0")/common.sh"
filter=${1:-}
cd "$ROOT"

say "test 1/6: packages"
tools/setup.sh
say "test 2/6: what the cluster is made of"
tests/cluster/build.sh kube metrics-server helm kinds ${GOPACER_LONG:+neighbours} pause >/dev/null
say "test 3/6: programs"
tools/build.sh asan
# Of the release build only the operator and the cluster tests are needed.
tools/build.sh release gopacer cluster_tests
say "test 4/6: images"
tests/workloads/build.sh >/dev/null
tools/image.sh >/dev/null

say "test 5/6: cluster"
# Where statistics decide, on a machine that others may load, a test may try twice in CI. No other test may.
count=$(tools/merge_ctest.py ${CI:+--once-more statistical} build/all "build/asan:-LE ^cluster\$ ${filter:+-R $(printf %q "$filter")}" \
  "build/release:-L ^cluster\$ ${filter:+-R $(printf %q "$filter")}")
take_down() { :; }
if [[ $(ctest --test-dir build/all -N -L '^cluster$') == *'Total Tests: 0'* ]]; then
  say "cluster: none of the tests needs it"
elif [[ $(tools/cluster.sh status) == *'node: up'* ]]; then
  say "cluster: one is up; using it and leaving it up"
  tools/cluster.sh up >/dev/null
else
  take_down() { tools/cluster.sh down; }
  trap 'take_down; exit 130' INT TERM
  tools/cluster.sh up >/dev/null
fi

# Of the chart's rights each must be used, when all tests run.
[ -n "$filter" ] || export GOPACER_WHOLE=1
# The same cases of the properties in every run; another seed tries others.
export GOPACER_SEED=${GOPACER_SEED:-1}
# Of the calls at which the operator may die, each commit tries another sixth.
export GOPACER_SIXTH=${GOPACER_SIXTH:-$(git rev-list --count HEAD 2>/dev/null || echo 0)}
say "test 6/6: $count tests, GOPACER_SEED=$GOPACER_SEED GOPACER_SIXTH=$GOPACER_SIXTH"
result=0
ctest --test-dir build/all --output-on-failure -j "$(nproc)" | tools/first_failures.sh build/all/first_failures || result=$?
take_down 2>/dev/null # its one line would stand after the summary
exit $result
