#!/usr/bin/env bash
# Builds churn in one of the ways in which Go programs are linked, and prints its path:
#   build.sh [arm64-]static|symbols|pie|cgo|cgo-pie [GO_VERSION]       all but "symbols" are stripped
. "$(dirname "$0")/../../tools/common.sh"
mode=${1:?build.sh MODE [GO_VERSION]}
version=${2:-installed}

go=$("$ROOT/tools/runtime_layouts.sh" --toolchain "$version")
source=$ROOT/tests/runtime_memory/churn
flags=(-trimpath) link='-s -w' cgo=0
case $mode in arm64-*) export GOARCH=arm64 CC=aarch64-linux-gnu-gcc ;; esac
case ${mode#arm64-} in
  static) ;;
  symbols) link='' ;;
  pie) flags+=(-buildmode=pie) ;;
  cgo) cgo=1 flags+=(-tags=with_cgo) ;;
  cgo-pie) cgo=1 flags+=(-tags=with_cgo -buildmode=pie) ;;
  *) die "build.sh: no way to link is called $mode" ;;
esac
hash=$({
  "$go" version
  cat "$0" "$source"/*.go "$source/go.mod"
} | sha256sum | cut -c1-16)
program=$CACHE/workloads/churn-$hash/churn-$mode
if [ ! -e "$program" ]; then
  mkdir -p "${program%/*}"
  (cd "$source" && GOTOOLCHAIN=local CGO_ENABLED=$cgo nice "$go" build "${flags[@]}" -ldflags "$link" -o "$program.$$" . && mv "$program.$$" "$program")
fi
echo "$program"
