#!/usr/bin/env bash
# Builds what the test cluster is made of, each from its own pinned Go module, and keeps the result in the cache under a
# hash of what went into it: a clean clone builds nothing twice.
#   build.sh            builds all that is missing and prints the directory with kube, kubectl, etcd…, helm, metrics-server
#   build.sh --dir      only prints the directory
. "$(dirname "$0")/../../tools/common.sh"
here=$ROOT/tests/cluster
bin=$CACHE/cluster/bin

version_of() { awk -v module="$2" '$1 == module && $2 ~ /^v/ {print $2; exit}' "$here/$1/go.mod"; }

# build NAME PACKAGE LDFLAGS: one static binary of module tests/cluster/NAME at $bin/NAME.
build() {
  local name=$1 package=$2 ldflags=$3 key store
  key=$({ cat "$here/$name"/go.{mod,sum} "$here/$name"/*.go 2>/dev/null || true; echo "$package $ldflags"; } | sha256sum | cut -c1-16)
  store=$CACHE/cluster/$name-$key
  if [ ! -x "$store" ]; then
    say "$name: building (once; $4)"
    (
      cd "$here/$name"
      export CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=readonly -trimpath'
      nice "$ROOT/tools/go.sh" build -ldflags "-s -w $ldflags" -o "$store.$$" "$package"
    ) || die "$name: the build failed; see above"
    mv "$store.$$" "$store"
    say "$name: built, $(($(stat -c %s "$store") >> 20)) MB"
  fi
  ln -sfn "../${store##*/}" "$bin/$name"
}

[ "${1:-}" = --dir ] && { echo "$bin"; exit; }
mkdir -p "$bin"
exec 9>"$CACHE/cluster/lock"
flock 9 # two builds at once would only do the same work twice

kubernetes=$(version_of kube k8s.io/kubernetes)
stamp=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$kubernetes")"
  stamp+=" -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
done
build kube . "$stamp" "all of Kubernetes $kubernetes and etcd: 4 to 7 minutes"
for component in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  ln -sfn kube "$bin/$component"
done
build metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server "" "about 1 minute"
build helm helm.sh/helm/v3/cmd/helm "-X helm.sh/helm/v3/internal/version.version=$(version_of helm helm.sh/helm/v3)" "about 1 minute"
echo "$bin"
