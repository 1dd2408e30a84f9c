# Shared by the scripts behind ./dev. Source it; it changes nothing by itself.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything that is dear to build and does not belong to one checkout.
CACHE=${GOPACER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gopacer}
mkdir -p "$CACHE"

started_at=${EPOCHREALTIME/./}
elapsed() { # prints the seconds since the script started, as 12.3s
  local tenths=$(((${EPOCHREALTIME/./} - started_at) / 100000))
  printf '%d.%ds' $((tenths / 10)) $((tenths % 10))
}
say() { printf '[%7s] %s\n' "$(elapsed)" "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# quietly LOG COMMAND...: keeps the command's output in LOG and shows its end only if it fails.
quietly() {
  local log=$1 rc=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || rc=$?
  [ $rc = 0 ] && return
  tail -n 40 "$log" >&2
  say "failed (exit $rc): $*; the whole log: $log"
  return $rc
}
