#!/usr/bin/env bash
# Where Go keeps what its collector goes by, as operator/runtime_memory/layouts.inc has it:
#   runtime_layouts.sh --write      asks every tool chain of the table for its debug information, and writes the table
#   runtime_layouts.sh VERSION...   prints the rows of these; "installed" is the Go of this project
#   runtime_layouts.sh --toolchain VERSION   prints the path of its go
# Tool chains are fetched as Go modules, 70 MB each.
. "$(dirname "$0")/common.sh"

table=$ROOT/operator/runtime_memory/layouts.inc
# The last release of each minor version; layouts do not change within one.
versions=(1.21.13 1.22.12 1.23.12 1.24.13 1.25.5 1.26.8 1.27.4)

toolchain() { # VERSION: path of its go
  [ "$1" != installed ] || { "$ROOT/tools/go.sh" --path; return; }
  local module=golang.org/toolchain@v0.0.1-go$1.linux-amd64 dir
  dir=$(cd / && "$ROOT/tools/go.sh" mod download -json "$module" | jq -r .Dir) || die "runtime layouts: could not fetch $module"
  # Modules are unpacked without the run bits.
  chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/* 2>/dev/null || true
  echo "$dir/bin/go"
}

rows() { # VERSION...
  local tools=() version
  for version in "$@"; do tools+=("$(toolchain "$version")"); done
  (cd "$ROOT/tools/runtime_layouts" && "$ROOT/tools/go.sh" run . "${tools[@]}")
}

if [ "${1:-}" = --write ]; then
  {
    echo "// Written by tools/runtime_layouts.sh --write from the debug information of Go ${versions[*]}; do not edit."
    rows "${versions[@]}"
  } >"$table.new"
  mv "$table.new" "$table"
elif [ "${1:-}" = --toolchain ]; then
  toolchain "${2:?runtime_layouts.sh --toolchain VERSION}"
else
  [ $# -gt 0 ] || die "runtime_layouts.sh --write | --toolchain VERSION | VERSION..."
  rows "$@"
fi
