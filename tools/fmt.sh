#!/usr/bin/env bash
# Formats all C++ files, or those given.
. "$(dirname "$0")/common.sh"
cd "$ROOT"
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp'); fi
[ ${#files[@]} -gt 0 ] || die "fmt: no C++ files here"
clang-format-19 -i "${files[@]}"
say "fmt: ${#files[@]} files are formatted"
