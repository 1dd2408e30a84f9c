#!/usr/bin/env bash
# Builds the test services as static programs and images, and prints for each: NAME PROGRAM IMAGE.
#   build.sh [checkout] [load] [caddy] [hostile]        all of them without arguments
# What is built is kept by a hash of its inputs, so a second run takes no time.
. "$(dirname "$0")/../../tools/common.sh"
cd "$ROOT/tests/workloads"

declare -A source=([checkout]=checkout [load]=load [caddy]=thirdparty [hostile]=probe)
declare -A files=([caddy]="thirdparty/Caddyfile=/etc/caddy/Caddyfile thirdparty/site/item.json=/srv/item.json thirdparty/site/list.json=/srv/list.json")
declare -A environment=([caddy]="--env HOME=/tmp") # caddy writes an id of itself there
declare -A arguments=([caddy]="run --config /etc/caddy/Caddyfile")

go_version=$("$ROOT/tools/go.sh" env GOVERSION)

build() { # NAME
  local name=$1 from=${source[$1]} hash dir
  hash=$({
    echo "$go_version"
    cat build.sh "$ROOT/tools/mkimage.py"
    find "$from" -type f ! -name '*_test.go' ! -name '*.md' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16)
  dir=$CACHE/workloads/$name-$hash
  if [ ! -e "$dir/$name.tar" ]; then
    say "building $name"
    mkdir -p "$dir"
    (cd "$from" && CGO_ENABLED=0 nice "$ROOT/tools/go.sh" build -p "${GOPACER_GO_JOBS:-2}" -trimpath -ldflags '-s -w' -o "$dir/$name" .)
    # shellcheck disable=SC2086  # lists of words
    "$ROOT/tools/mkimage.py" "$dir/$name.tar" "localhost/$name:dev" --user 65532:65532 ${environment[$name]:-} \
      "$dir/$name=/bin/$name" ${files[$name]:-} -- "/bin/$name" ${arguments[$name]:-}
  fi
  echo "$name $dir/$name $dir/$name.tar"
}

[ $# -gt 0 ] || set -- checkout load caddy hostile
for name in "$@"; do
  [ -n "${source[$name]:-}" ] || die "build.sh: no workload $name; there are ${!source[*]}"
  build "$name"
done
