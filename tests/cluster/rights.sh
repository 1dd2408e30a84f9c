#!/usr/bin/env bash
# Requests of the operator in this cluster against the chart's roles: rights.py. GOPACER_WHOLE=1 once all cluster tests have run.
. "$(dirname "$0")/lib.sh"
exec python3 -B "$here/rights.py" "$node_run/log/audit.log" "$bin/helm" "$ROOT/charts/gopacer" ${GOPACER_WHOLE:+--whole}
