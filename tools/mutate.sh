#!/usr/bin/env bash
# Do the tests of a pure module notice a wrong line?  mutate.sh --module judge [--sample 40] [--seed 1] [--only FILE:LINE]
# Takes some minutes on one core, and leaves the checkout alone.
. "$(dirname "$0")/common.sh"
exec nice -n 10 python3 -B "$ROOT/tools/mutate.py" "$@"
