#!/usr/bin/env bash
# Checks format, the dependency rule and, with clang-tidy, the C++ code:  lint.sh [--all | FILE...]
# Without arguments clang-tidy looks at what differs from the branch main, or at the last commit when on main.
. "$(dirname "$0")/common.sh"
cd "$ROOT"
shopt -s extglob

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp')
case ${1:-} in
  --all) chosen=("${sources[@]}") ;;
  '')
    base=main
    [ "$(git rev-parse main 2>/dev/null)" = "$(git rev-parse HEAD)" ] && base=$(git rev-parse -q --verify HEAD~1 || git hash-object -t tree /dev/null)
    mapfile -t chosen < <({ git diff --name-only --diff-filter=d "$base" -- '*.h' '*.cpp' && git ls-files --others --exclude-standard '*.h' '*.cpp'; } | sort -u)
    ;;
  *) chosen=("$@") ;;
esac

failed=0
say "lint: format of ${#sources[@]} files"
clang-format-19 --dry-run --Werror "${sources[@]}" || { say "lint: ./dev fmt puts that right"; failed=1; }
say "lint: dependency rule"
"$ROOT/tools/check_includes.py" || failed=1

# Headers are looked at through the sources that include them.
units=()
for file in "${chosen[@]}"; do [[ $file == *.cpp ]] && units+=("$file"); done
if [ ${#units[@]} -gt 0 ]; then
  quietly "$CACHE/log/cmake-dev.log" cmake --preset dev
  quietly "$CACHE/log/build-dev.log" cmake --build --preset dev --target gopacer_messages # headers that protoc makes
  say "lint: clang-tidy on ${#units[@]} files"
  # clang does not know every flag of g++ that the compile commands hold.
  printf '%s\0' "${units[@]}" | xargs -0 -n 1 -P "$(nproc)" \
    clang-tidy-19 -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option 2> >(grep -v 'warnings generated' >&2) || failed=1
fi
if [ $failed = 0 ]; then say "lint: fine"; else die "lint: see above"; fi
