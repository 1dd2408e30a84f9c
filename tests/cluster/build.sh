#!/usr/bin/env bash
# Builds what the test cluster is made of, each from its own pinned Go module, and keeps the result in the cache under a
# hash of what went into it: a clean clone builds nothing twice.
#   build.sh [kube|metrics-server|helm|neighbours|kinds|pause...]     without names: all but neighbours, which only tests need
# Prints the directory that then holds kube (and kubectl, etcd… as links to it), metrics-server, helm, neighbours/, kinds/ and pause.tar.
. "$(dirname "$0")/../../tools/common.sh"
here=$ROOT/tests/cluster
store=$CACHE/cluster
bin=$store/bin

hash_of() { sha256sum | cut -c1-16; }
version_of() { awk -v module="$2" '$1 == module && $2 ~ /^v/ {print $2; exit}' "$here/$1/go.mod"; }

# provide NAME FILE HINT COMMAND...: links bin/NAME to FILE; if FILE is not there yet, COMMAND makes it, given its name.
provide() {
  local name=$1 file=$2 hint=$3
  shift 3
  if [ ! -e "$store/$file" ]; then
    (
      flock 9 # two builds at once would only do the same work twice
      [ -e "$store/$file" ] && exit
      say "$name: building, once ($hint)"
      "$@" "$store/$file.$$" || exit
      mv "$store/$file.$$" "$store/$file"
      say "$name: built, $(du -sm "$store/$file" | cut -f1) MB"
    ) 9>"$store/lock.$name" || die "$name: the build failed; see above"
  fi
  [ "$(readlink "$bin/$name")" = "../$file" ] || ln -sfn "../$file" "$bin/$name"
}

# progress NAME TOTAL: go's own account of what it compiles, as a line every 15 s; what else it says is an error.
progress() {
  local name=$1 total=$2 done=0 said=$SECONDS line
  while IFS= read -r line; do
    case $line in
      'go: downloading '*) ;;
      *' '*) echo "$line" >&2 ;;
      *) done=$((done + 1)) ;;
    esac
    if [ $((SECONDS - said)) -ge 15 ]; then
      said=$SECONDS
      say "$name: $done of $total packages"
    fi
  done
}
go_program() { # MODULE LDFLAGS PACKAGE... OUT
  local module=$1 flags=$2 out=${*: -1} total
  set -- "${@:3:$#-3}"
  cd "$here/$module"
  export CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=readonly -trimpath'
  say "$module: fetching modules"
  total=$("$ROOT/tools/go.sh" list -deps "$@" 2> >(grep -v '^go: downloading ' >&2) | wc -l)
  nice "$ROOT/tools/go.sh" build -v -ldflags "-s -w $flags" -o "$out" "$@" 2>&1 | progress "$module" "$total"
}
provide_go() { # NAME HINT PACKAGE LDFLAGS
  local key
  key=$({ cat "$here/$1"/go.* && cat "$here/$1"/*.go 2>/dev/null || true; echo "$3 $4"; } | hash_of)
  provide "$1" "$1-$key" "$2" go_program "$1" "$4" "$3"
}

kube() {
  local version stamp= package component
  version=$(version_of kube k8s.io/kubernetes)
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
    stamp+=" -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
  done
  provide_go kube "all of Kubernetes $version and etcd: 5 minutes on two idle cores" . "$stamp"
  for component in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    [ -e "$bin/$component" ] || ln -sfn kube "$bin/$component"
  done
}
metrics-server() { provide_go metrics-server "1 to 2 minutes" sigs.k8s.io/metrics-server/cmd/metrics-server ""; }
helm() {
  provide_go helm "1 to 2 minutes" helm.sh/helm/v3/cmd/helm \
    "-X helm.sh/helm/v3/internal/version.version=$(version_of helm helm.sh/helm/v3)"
}

# The controllers that gopacer lives beside: a directory with a program each.
vpa=k8s.io/autoscaler/vertical-pod-autoscaler argo=github.com/argoproj/argo-rollouts flagger=github.com/fluxcd/flagger
neighbours_here() { # OUT
  local out=$1
  mkdir -p "$out"
  go_program neighbours "" $argo/cmd/rollouts-controller $vpa/pkg/{admission-controller,recommender,updater} ./flagger "$out/"
  for program in admission-controller recommender updater; do mv "$out/$program" "$out/vpa-$program"; done
}
# The definitions of their kinds, which all cluster tests want: they are in the modules, and nothing is compiled.
kinds_here() { # OUT
  local out=$1
  dir_of() { "$ROOT/tools/go.sh" list -mod=readonly -m -f '{{.Dir}}' "$1"; }
  cd "$here/neighbours"
  "$ROOT/tools/go.sh" mod download $vpa $argo $flagger
  mkdir -p "$out"
  cp "$(dir_of $vpa)/deploy/vpa-v1-crd-gen.yaml" "$out/vpa.yaml"
  cp "$(dir_of $argo)"/manifests/crds/*-crd.yaml "$out/"
  cp "$(dir_of $flagger)/artifacts/flagger/crd.yaml" "$out/flagger.yaml"
  chmod -R u+w "$out"
}
kinds() {
  local key
  key=$({ cat "$here"/neighbours/go.* && declare -f kinds_here; } | hash_of)
  provide kinds "kinds-$key" "a second, once their modules are here" kinds_here
}
neighbours() {
  local key
  key=$({ cat "$here"/neighbours/go.* "$here"/neighbours/*/*.go && declare -f neighbours_here; } | hash_of)
  provide neighbours "neighbours-$key" "VPA, Argo Rollouts and Flagger: 2 to 3 minutes on two idle cores" neighbours_here
}

pause_image() { # OUT
  local program
  program=$(mktemp)
  gcc -Os -static -s -o "$program" "$here/pause/pause.c" && chmod 755 "$program" &&
    python3 "$ROOT/tools/mkimage.py" "$1" localhost/pause:1 "$program=/pause" -- /pause
  rm -f "$program"
  [ -s "$1" ]
}
pause() { # the image of every pod's first process
  provide pause.tar "pause-$(cat "$here/pause/pause.c" "$ROOT/tools/mkimage.py" | hash_of).tar" "a second" pause_image
}

mkdir -p "$bin"
[ $# -gt 0 ] || set -- kube metrics-server helm kinds pause
for part in "$@"; do
  [[ $part =~ ^(kube|metrics-server|helm|neighbours|kinds|pause)$ ]] || die "build: no part '$part'; take kube, metrics-server, helm, neighbours, kinds or pause"
done
for part in "$@"; do "$part"; done
echo "$bin"
