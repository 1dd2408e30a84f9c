#!/usr/bin/env bash
# Looks whether a program was built so that overruns end it instead of being used:  check_hardening.sh PROGRAM
set -euo pipefail
program=$1
missing=()
has() { # WHAT PATTERN OUTPUT
  grep -qE -- "$2" <<<"$3" || missing+=("$1")
}
header=$(readelf -hW "$program")
segments=$(readelf -lW "$program")
dynamic=$(readelf -dW "$program")
symbols=$(readelf -sW --dyn-syms "$program")
has 'random addresses (-pie)' 'Type: +DYN' "$header"
has 'relocations that cannot be written to (-z relro)' 'GNU_RELRO' "$segments"
has 'symbols bound at the start (-z now)' '\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW' "$dynamic"
has 'a stack that holds no code' 'GNU_STACK .* RW +0x' "$segments"
has 'guarded stacks (-fstack-protector-strong)' '__stack_chk_fail' "$symbols"
has 'checked buffers (_FORTIFY_SOURCE)' '__[a-z]+_chk(@|$)' "$(grep -v __stack_chk <<<"$symbols")"
has 'checked containers (_GLIBCXX_ASSERTIONS)' '__glibcxx_assert_fail' "$symbols"
[ ${#missing[@]} = 0 ] && exit 0
printf "$program lacks %s\n" "${missing[@]}" >&2
exit 1
