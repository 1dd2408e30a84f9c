#!/usr/bin/env bash
# Configures and builds one preset:  build.sh [PRESET [TARGET...]]
. "$(dirname "$0")/common.sh"
preset=${1:-dev}
shift || true
cd "$ROOT"
grep -q "\"name\": \"$preset\"" CMakePresets.json || die "build: no preset '$preset' in CMakePresets.json; take dev, release, asan or tsan"

export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
export NINJA_STATUS='[%f/%t %es] '

say "build: configuring $preset"
quietly "$CACHE/log/cmake-$preset.log" cmake --preset "$preset"
say "build: building $preset"
cmake --build --preset "$preset" ${1:+--target "$@"} >&2
say "build: $preset is in build/$preset"
