#!/usr/bin/env bash
# The check tells a hardened program from others, each time by what is missing.
set -euo pipefail
check=$(realpath "$(dirname "$0")/../../tools/check_hardening.sh")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/program.cpp" <<'CPP'
#include <cstdio>
#include <cstring>
#include <vector>
int main(int count, char** words) {
  std::vector<int> numbers(count);
  char text[20];
  strcpy(text, words[0]);
  return printf("%s %d\n", text, numbers[count - 1]) < 0;
}
CPP
hardened=(-O2 -fpie -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong
  -pie -Wl,-z,relro,-z,now)
build() { g++ "$dir/program.cpp" -o "$dir/program" "$@"; }

build "${hardened[@]}"
"$check" "$dir/program"

expect_missing() { # WHAT OPTION...
  local what=$1
  shift
  build "${hardened[@]}" "$@"
  if said=$("$check" "$dir/program" 2>&1); then
    echo "not seen: $what" >&2
    exit 1
  fi
  [ "$(grep -c lacks <<<"$said")" = 1 ] && grep -qF -- "$what" <<<"$said" || { echo "expected '$what', got: $said" >&2; exit 1; }
}
expect_missing -pie -no-pie -fno-pie
expect_missing relro -Wl,-z,norelro
expect_missing '-z now' -Wl,-z,lazy
expect_missing 'holds no code' -Wl,-z,execstack
expect_missing stack-protector -fno-stack-protector
expect_missing FORTIFY -U_FORTIFY_SOURCE
expect_missing GLIBCXX_ASSERTIONS -U_GLIBCXX_ASSERTIONS
