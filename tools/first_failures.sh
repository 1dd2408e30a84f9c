#!/usr/bin/env bash
# Hands ctest's output on, and puts before its closing lines which tests failed once and were repeated, and how:
# ctest … | first_failures.sh DIRECTORY
set -euo pipefail
tell() {
  local file
  for file in "$1"/*; do
    [ -f "$file" ] || continue
    printf '\nrepeated after a failure: %s\n' "$(basename "$file")"
    # What googletest says of the first expectation that failed, else how it ended.
    { grep -m1 -A7 ': Failure$' "$file" || tail -n 8 "$file"; } | sed 's/^/    /'
  done
}
while IFS= read -r line || [ -n "$line" ]; do
  [[ $line =~ ^[0-9]+%\ tests\ passed ]] && tell "$1" && echo
  printf '%s\n' "$line"
done
