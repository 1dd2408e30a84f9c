#!/usr/bin/env bash
# Makes the recorded bodies of this directory again, from real programs.
#   record.sh go [1.21.13 ...]   heap profiles, /debug/vars and CPU profiles by each Go version
#   record.sh path 1.21.13       where that Go is, fetched if need be
#   record.sh metrics            /metrics of checkout and caddy
#   record.sh cadvisor           the kubelet's /metrics/cadvisor, from the running test cluster
# The tests that read them hold for any recording: names and structure count, not the numbers.
. "$(dirname "$0")/../../tools/common.sh"
cd "$ROOT/tests/data"
work=$(mktemp -d)
pids=()
clean() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean EXIT

go_of() { # VERSION: prints the path of its go
  local version=$1 module=golang.org/toolchain@v0.0.1-go$1.linux-amd64 from to=$CACHE/go/$1
  if [ ! -x "$to/bin/go" ]; then
    from=$(cd / && "$ROOT/tools/go.sh" mod download -json "$module" | jq -r .Dir)
    [ -d "$from" ] || die "Go $version cannot be fetched as $module; leave it out"
    mkdir -p "$CACHE/go"
    cp -r "$from" "$work/go"
    chmod -R u+w "$work/go"
    chmod +x "$work"/go/bin/* "$work"/go/pkg/tool/*/*
    mv -T "$work/go" "$to"
  fi
  echo "$to/bin/go"
}

# Debian's Go 1.19 is older than the first tool chain that is published as a module. It is unpacked, not installed.
debian_go() { # prints the path of its go
  local to=$CACHE/go/debian-1.19
  if [ ! -x "$to/usr/lib/go-1.19/bin/go" ]; then
    (cd "$work" && apt-get download golang-1.19-go golang-1.19-src >/dev/null)
    mkdir -p "$to"
    for package in "$work"/golang-1.19-*.deb; do dpkg -x "$package" "$to"; done
    # Its links are absolute.
    rm -rf "$to"/usr/lib/go-1.19/{src,test,api,misc,pkg/include}
    for part in src test api misc; do ln -s ../../share/go-1.19/$part "$to/usr/lib/go-1.19/$part"; done
    ln -s ../../../share/go-1.19/pkg/include "$to/usr/lib/go-1.19/pkg/include"
  fi
  echo "$to/usr/lib/go-1.19/bin/go"
}

record_go() {
  [ $# -gt 0 ] || set -- debian 1.21.13 1.22.12 1.23.12 1.24.6 1.25.1 1.26.8
  local version go short
  for version in "$@"; do
    if [ "$version" = debian ]; then go=$(debian_go); else go=$(go_of "$version"); fi
    short=$(GOTOOLCHAIN=local GOROOT='' "$go" env GOVERSION | grep -oE '^go1\.[0-9]+')
    (cd recorder && GOROOT='' GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0 "$go" build -trimpath -o "$work/recorder" .)
    mkdir -p go
    # A short name for itself, which /debug/vars shows.
    (cd go && env -i GOGC=100 GOMAXPROCS=2 bash -c 'exec -a recorder "$0" "$1"' "$work/recorder" "$short")
    say "recorded $short"
  done
}

# start URL COMMAND...: waits until the URL answers.
start() {
  local url=$1
  shift
  "$@" 2>"$work/log" &
  pids+=($!)
  for _ in $(seq 200); do
    curl -fsS "$url" >/dev/null 2>&1 && return
    kill -0 $! 2>/dev/null || die "$1 ended: $(tail -n 3 "$work/log")"
    sleep 0.1
  done
  die "$url does not answer: $(tail -n 3 "$work/log")"
}

record_metrics() {
  declare -A program
  while read -r name path _; do program[$name]=$path; done < <("$ROOT/tests/workloads/build.sh" checkout load caddy)
  local api=127.0.0.1:18080 admin=127.0.0.1:12019
  mkdir -p metrics
  start http://$api/readyz env GOGC=150 GOMEMLIMIT=200MiB "${program[checkout]}" --listen $api --pprof-listen 127.0.0.1:16060 \
    --admin-listen '' --live-heap 16MiB --drain 0s --all-runtime-metrics
  "${program[load]}" --target http://$api/checkout --carts --rate 100 --duration 3s --every 0 >/dev/null
  curl -fsS http://$api/metrics -o metrics/checkout-all-runtime.txt
  curl -fsS "http://127.0.0.1:16060/debug/pprof/heap?debug=1" -o metrics/checkout.heap.txt
  kill "${pids[-1]}"
  wait "${pids[-1]}" || true
  start http://$api/readyz "${program[checkout]}" --listen $api --pprof-listen '' --admin-listen '' --live-heap 16MiB --drain 0s
  "${program[load]}" --target http://$api/checkout --carts --rate 100 --duration 3s --every 0 >/dev/null
  curl -sS -o /dev/null http://$api/checkout -d '{}' # one answer that is no success
  curl -fsS http://$api/metrics -o metrics/checkout.txt
  kill "${pids[-1]}"
  wait "${pids[-1]}" || true
  # Short names, which /debug/vars shows.
  cp "${program[caddy]}" "$ROOT/tests/workloads/thirdparty/Caddyfile" "$work"
  start http://$api/healthz env -C "$work" PORT=18080 ADMIN=$admin SITE="$ROOT/tests/workloads/thirdparty/site" \
    ./caddy run --config Caddyfile
  "${program[load]}" --target "http://$api/list.json?n=50" --rate 50 --duration 3s --every 0 >/dev/null
  curl -fsS http://$admin/metrics -o metrics/caddy.txt
  curl -fsS http://$admin/debug/vars -o metrics/caddy.vars.json
  say "recorded metrics"
}

record_cadvisor() {
  local node image
  kubectl() { "$ROOT/dev" cluster kubectl "$@"; }
  kubectl create namespace shop >/dev/null || die "namespace shop cannot be made; delete it, or start the cluster anew"
  image=$("$ROOT/tests/workloads/build.sh" checkout | cut -d' ' -f3)
  "$ROOT/dev" cluster load "$image" >/dev/null
  kubectl -n shop apply -f "$ROOT/examples/checkout-service.yaml" >/dev/null
  # So little CPU that filling its cache is throttled.
  kubectl -n shop set resources deployment/checkout -c app --limits=cpu=200m,memory=512Mi >/dev/null
  kubectl -n shop rollout status deployment/checkout --timeout=120s >/dev/null
  kubectl -n shop wait --for=delete pod -l app=checkout --field-selector=status.phase!=Running --timeout=60s >/dev/null 2>&1 || true
  node=$(kubectl get nodes -o 'jsonpath={.items[0].metadata.name}')
  mkdir -p kubelet
  # Figures of a new pod's own cgroup are 0 until the second look, a few seconds later.
  for _ in $(seq 60); do
    kubectl get --raw "/api/v1/nodes/$node/proxy/metrics/cadvisor" >kubelet/cadvisor.txt
    [ "$(grep -cE '^container_memory_rss.container="",.*namespace="shop".* [1-9]' kubelet/cadvisor.txt)" -ge 2 ] && break
    sleep 1
  done
  kubectl delete namespace shop --wait=false >/dev/null
  say "recorded cadvisor: $(stat -c %s kubelet/cadvisor.txt) bytes"
}

case ${1:-} in
  path) go_of "$2" ;;
  go | metrics | cadvisor) what=$1 && shift && "record_$what" "$@" ;;
  *) die "record.sh: say what to record; see the head of the script" ;;
esac
