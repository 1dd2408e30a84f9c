#!/usr/bin/env bash
# Installs the packages of tools/packages.txt that are missing. Safe to repeat; takes no time when all is there.
. "$(dirname "$0")/common.sh"

[ -r /etc/os-release ] && . /etc/os-release
[ "${ID:-}" = debian ] && [ "${VERSION_ID:-0}" = 12 ] || say "setup: made for Debian 12; this is ${PRETTY_NAME:-something else}, so package names may differ"

mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$ROOT/tools/packages.txt" | sort -u)
declare -A installed=()
while read -r state package; do
  [ "$state" = installed ] && installed[$package]=1
done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null)

missing=()
for package in "${wanted[@]}"; do
  [ -n "${installed[$package]:-}" ] && continue
  [ "$package" = golang-go ] && command -v go >/dev/null && continue # any Go will do
  missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  say "setup: installing ${#missing[@]} packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  quietly "$CACHE/log/apt-update.log" as_root apt-get update
  quietly "$CACHE/log/apt-install.log" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
fi

"$ROOT/tools/go.sh" --path >/dev/null
say "setup: all ${#wanted[@]} packages are there"
