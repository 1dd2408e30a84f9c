#!/usr/bin/env bash
# ./dev cluster: a real one-node Kubernetes on this machine, or only its API server. The work is done in tests/cluster/.
. "$(dirname "$0")/../tests/cluster/lib.sh"

usage() {
  cat <<HELP
usage: ./dev cluster [--name NAME] COMMAND

  up                   start the one-node cluster, about 5 s (the first time builds Kubernetes: 10 minutes)
  up --api-only        only etcd and kube-apiserver, on 127.0.0.1; takes --port PORT; several at once by --name
  down                 stop it and leave nothing behind (down --all: also every API server)
  status               what is up and how it is
  kubectl ARGUMENT...  kubectl of the same version, as the cluster's admin
  helm ARGUMENT...     helm, likewise
  load IMAGE.tar...    put images into the node (imagePullPolicy: Never or IfNotPresent finds them)
  dir                  print the directory that holds kubeconfig, bin/kubectl, bin/helm and pki/ca.crt while it is up
  logs COMPONENT       kubelet, kube-apiserver, containerd…: its log

Kubeconfig: $node_run/kubeconfig
        or: $runs/NAME/kubeconfig for an API server (NAME: api if not given)
HELP
}

name=
[ "${1:-}" = --name ] && { name=$2 && shift 2; }
command=${1:-help}
shift || true

# root_do SCRIPT: with the caller's cache, also under sudo.
root_do() { as_root env GOPACER_CACHE="$CACHE" "$@"; }
api_is_up() { is_running "$1/kube-apiserver.pid" "$1"; }
node_is_up() { is_running "$node_run/outer.pid" "node.sh $node_run"; }
use_kubeconfig() {
  local file=$node_run/kubeconfig
  if [ -n "$name" ]; then
    file=$runs/$name/kubeconfig
  elif ! [ -f "$file" ]; then
    file=$runs/api/kubeconfig
  fi
  [ -f "$file" ] || die "cluster: none is up; run ./dev cluster up"
  export KUBECONFIG=$file
}

case $command in
  up)
    if [ "${1:-}" = --api-only ]; then
      shift
      [ "${1:-}" = --name ] && { name=$2 && shift 2; }
      exec "$here/api_up.sh" "$runs/${name:-api}" "$@"
    fi
    [ -z "$name" ] || die "cluster: only API servers have names, because the node is one per machine: up --api-only --name $name"
    "$here/build.sh" >/dev/null # as the caller, not as root
    pki >/dev/null
    mkdir -p "$runs" "$CACHE/log"
    root_do "$here/node_up.sh"
    [ "$(id -u)" = 0 ] || as_root chown "$(id -u)" "$node_run/kubeconfig"
    ;;
  down)
    [ "${1:-}" = --name ] && { name=$2 && shift 2; }
    if [ -n "$name" ]; then
      "$here/api_down.sh" "$runs/$name"
      say "cluster: API server $name is down"
      exit
    fi
    if [ "${1:-}" = --all ]; then
      for dir in "$runs"/*/; do
        [ -d "$dir" ] && [ "$dir" != "$node_run/" ] && "$here/api_down.sh" "$dir"
      done
    elif [ -d "$runs/api" ] && ! [ -d "$node_run" ]; then
      "$here/api_down.sh" "$runs/api"
    fi
    root_do "$here/node_down.sh"
    say "cluster: down"
    ;;
  status)
    for dir in "$runs"/*/; do
      dir=${dir%/}
      [ "$dir" != "$node_run" ] && [ -d "$dir" ] && api_is_up "$dir" && echo "API server ${dir##*/}: up, kubeconfig $dir/kubeconfig"
    done
    if ! node_is_up; then
      echo "node: down"
      exit
    fi
    echo "node: up, kubeconfig $node_run/kubeconfig"
    [ -s "$node_run/died" ] && cat "$node_run/died"
    export KUBECONFIG=$node_run/kubeconfig
    "$bin/kubectl" get nodes -o wide
    "$bin/kubectl" get pods -A
    ;;
  kubectl | helm)
    use_kubeconfig
    "$here/build.sh" ${command/kubectl/kube} >/dev/null
    exec "$bin/$command" "$@"
    ;;
  load)
    node_is_up || die "cluster: the node is not up; run ./dev cluster up"
    for image in "$@"; do
      [ -f "$image" ] || die "cluster: no image file $image"
      as_root ctr -a "$containerd_socket" -n k8s.io images import "$image" >&2
    done
    ;;
  dir) if [ -n "$name" ]; then echo "$runs/$name"; else echo "$node_run"; fi ;;
  logs)
    file=$node_run/log/${1:?usage: ./dev cluster logs COMPONENT}.log
    [ -f "$file" ] || die "cluster: no log of '$1'; there are: $(ls "$node_run/log" 2>/dev/null | sed 's/\.log$//' | tr '\n' ' ')"
    cat "$file"
    ;;
  help | -h | --help) usage ;;
  *) die "cluster: unknown command '$command'; ./dev cluster help lists them" ;;
esac
