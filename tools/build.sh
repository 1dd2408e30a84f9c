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
# Targets that this configuration lacks are left out, so that callers need not know which tests there are.
targets=()
for target in "$@"; do
  if ninja -C "build/$preset" -t query "$target" >/dev/null 2>&1; then targets+=("$target"); else say "build: no target $target"; fi
done
[ $# = 0 ] || [ ${#targets[@]} -gt 0 ] || die "build: none of the targets $* exists; ninja -C build/$preset -t targets lists them"
say "build: building $preset ${targets[*]:-}"
cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"} >&2
say "build: $preset is in build/$preset"
