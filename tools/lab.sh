#!/usr/bin/env bash
# Real Go services under load with each tuner in turn, and a report of it in docs/lab:  lab.sh [OPTION...]   (lab.sh --help)
. "$(dirname "$0")/common.sh"
cd "$ROOT"
lab=tests/lab

for argument in "$@"; do
  case $argument in -h | --help) exec python3 -B $lab/main.py --help ;; esac
done

# Another kind of trial: whole rollouts in simulation. They need nothing but the program.
if [ "${1:-}" = --rollouts ]; then
  shift
  tools/build.sh release rollouts
  exec build/release/tests/lab/rollouts "$@"
fi

# checkout by an older Go, which the usual modules are too new for: it has some of its own, and of checkout's go.mod nothing counts.
build_by_old_go() { # PROGRAM
  local go overlay
  go=$(tests/data/record.sh path $old_go)
  overlay=$(mktemp -d)
  printf 'module checkout\n\ngo %s\n' "${old_go%.*}" >"$overlay/go.mod"
  jq -n --arg real "$ROOT/tests/workloads/checkout/go.mod" --arg instead "$overlay/go.mod" '{Replace: {($real): $instead}}' >"$overlay/list"
  (cd $lab/programs && env -u GOROOT CGO_ENABLED=0 GOTOOLCHAIN=local "$go" build -modfile="go${old_go%.*}.mod" -overlay="$overlay/list" \
    -trimpath -o "$1" ./checkout)
  rm -r "$overlay"
}

# The programs, kept by a hash of what they are made of.
programs=(caddy checkout coredns etcd gcshare load nats tsdb)
old_go=1.24.6
hash=$({
  tools/go.sh env GOVERSION
  echo "checkout-older checkout-go$old_go"
  find $lab/programs tests/workloads/checkout -type f ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum | cut -c1-16)
binaries=$CACHE/lab/$hash
if [ ! -e "$binaries/complete" ]; then
  say "lab: building ${programs[*]}"
  mkdir -p "$binaries"
  (cd $lab/programs && CGO_ENABLED=0 "$ROOT/tools/go.sh" build -trimpath -o "$binaries/" "${programs[@]/#/./}" &&
    CGO_ENABLED=1 "$ROOT/tools/go.sh" build -trimpath -o "$binaries/" ./sqlite)
  # Go 1.26 marks in another way than those before it did.
  (cd $lab/programs && CGO_ENABLED=0 GOEXPERIMENT=nogreenteagc "$ROOT/tools/go.sh" build -trimpath -o "$binaries/checkout-older" ./checkout)
  build_by_old_go "$binaries/checkout-go${old_go%.*}"
  touch "$binaries/complete"
fi
[[ " $* " == *" --build-only "* ]] && { echo "$binaries"; exit; }

# What draws the plots.
venv=$CACHE/lab/venv-$(sha256sum $lab/requirements.txt | cut -c1-16)
if [ ! -e "$venv/complete" ]; then
  say "lab: fetching matplotlib"
  python3 -m venv "$venv" || die "lab: python3 -m venv failed; run ./dev setup, which installs python3-venv"
  quietly "$CACHE/log/lab-pip.log" "$venv/bin/pip" install --require-virtualenv -r $lab/requirements.txt
  touch "$venv/complete"
fi

gopacer=${GOPACER_BINARY:-}
if [ -z "$gopacer" ] && [[ " $* " != *" --report-only "* ]]; then
  tools/build.sh release gopacer
  gopacer=$(find "$ROOT/build/release" -name gopacer -type f -perm -u+x -print -quit)
fi
exec "$venv/bin/python" -B $lab/main.py --binaries "$binaries" --go-version "$(tools/go.sh env GOVERSION)" ${gopacer:+--gopacer "$gopacer"} "$@"
