#!/usr/bin/env bash
# Runs a test, and once more when it fails:  once_more.sh SECONDS FILE COMMAND [ARGUMENT...]
# SECONDS is the time that each attempt has. FILE gets what the first attempt said, if that failed.
set -uo pipefail
seconds=$1 file=$2
shift 2
mkdir -p "$(dirname "$file")"
timeout "$seconds" "$@" 2>&1 | tee "$file"
result=${PIPESTATUS[0]}
[ "$result" != 0 ] || { rm -f "$file"; exit 0; }
[ "$result" != 124 ] || echo "no end after $seconds s" | tee -a "$file"
echo "failed (exit $result); once more"
exec timeout "$seconds" "$@"
