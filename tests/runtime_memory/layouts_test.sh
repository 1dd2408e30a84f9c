#!/usr/bin/env bash
# The table of layouts is what the debug information says: of the installed Go; with GOPACER_LONG=1 of all in the table.
. "$(dirname "$0")/../../tools/common.sh"
table=$ROOT/operator/runtime_memory/layouts.inc
if [ -n "${GOPACER_LONG:-}" ]; then
  before=$(cat "$table")
  "$ROOT/tools/runtime_layouts.sh" --write
  diff <(echo "$before") "$table"
else
  row=$("$ROOT/tools/runtime_layouts.sh" installed)
  grep -qxF "$row" "$table" || die "layouts: $table has no row $row; tools/runtime_layouts.sh --write makes it anew"
fi
