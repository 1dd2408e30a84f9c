#!/usr/bin/env bash
# Runs a Go that is new enough: the installed one, or else the pinned tool chain, which any Go can fetch as a module.
#   tools/go.sh build ./...        tools/go.sh --path
. "$(dirname "$0")/common.sh"

minimum=1.26.0
pinned=1.26.8

is_new_enough() { # PATH_OF_GO
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' "$minimum" "${version#go}" | sort -V | head -n1)" = "$minimum" ]
}

installed=$(command -v go || true)
fetched=$CACHE/go/$pinned
if [ -n "$installed" ] && is_new_enough "$installed"; then
  go=$installed
elif [ -x "$fetched/bin/go" ]; then
  go=$fetched/bin/go
else
  [ -n "$installed" ] || die "no Go is installed; run ./dev setup"
  say "Go: $("$installed" env GOVERSION) is older than $minimum; fetching $pinned"
  module=golang.org/toolchain@v0.0.1-go$pinned.linux-$("$installed" env GOARCH)
  answer=$(cd / && "$installed" mod download -json "$module") || die "Go: could not fetch $module: $answer; check the network and GOPROXY"
  mkdir -p "$CACHE/go"
  copy=$(mktemp -d "$CACHE/go/tmp.XXXXXX")
  cp -r "$(jq -r .Dir <<<"$answer")/." "$copy"
  chmod -R u+w "$copy" # modules are unpacked read-only, and without the run bits
  chmod +x "$copy"/bin/* "$copy"/pkg/tool/*/*
  mv -T "$copy" "$fetched" 2>/dev/null || rm -rf "$copy" # somebody else was faster
  go=$fetched/bin/go
fi

[ "${1:-}" = --path ] && { echo "$go"; exit; }
export GOTOOLCHAIN=local PATH="${go%/*}:$PATH"
unset GOROOT
exec "$go" "$@"
