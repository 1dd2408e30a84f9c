#!/usr/bin/env bash
# Starts etcd and kube-apiserver, and nothing else, on 127.0.0.1, with all state in DIR. Any number can run side by side.
#   api_up.sh DIR [--port PORT] [--parent PID] [-- KUBE_APISERVER_FLAG...]
# Prints the path of the kubeconfig (DIR/kubeconfig; its user may do everything). Beside it: pki/ca.crt, pki/admin.crt,
# pki/admin.key, bin/kubectl. Without --port a free one is taken.
# With --parent the server goes away by itself when that process does, so a test that crashes leaves nothing behind.
# No controllers run: objects get no status, owners' dependents are not collected, namespaces have no service accounts.
. "$(dirname "$0")/lib.sh"

dir=${1:?usage: api_up.sh DIR [--port PORT] [--parent PID] [-- KUBE_APISERVER_FLAG...]}
shift
port=
parent=
while [ $# -gt 0 ]; do
  case $1 in
    --port) port=$2 && shift 2 ;;
    --parent) parent=$2 && shift 2 ;;
    --) shift && break ;;
    *) die "api_up: unknown argument '$1'" ;;
  esac
done

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
if is_running "$dir/kube-apiserver.pid" "$dir"; then
  say "API server: already running; $dir/kubeconfig"
  echo "$dir/kubeconfig"
  exit
fi
"$here/api_down.sh" "$dir"
mkdir -p "$dir"
"$here/build.sh" kube >/dev/null
pki=$(pki)

# Below the range that the kernel hands out for port 0, so that no test server takes it between the look and the use.
pick_port() {
  local candidate
  while :; do
    candidate=$((20000 + RANDOM % 12000))
    [ -n "$(ss -Htln "sport = :$candidate")" ] || break
  done
  echo "$candidate"
}

# A relative socket, because the path of a socket may have 107 characters only and DIR may have more.
# etcd takes host:port for its name, even so.
etcd=unix://etcd:1
start() { # NAME COMMAND...
  local name=$1
  shift
  (cd "$dir" && exec setsid "$@" </dev/null >"$dir/$name.log" 2>&1 9>&-) &
  echo $! >"$dir/$name.pid"
}
# shellcheck disable=SC2046 # flags have no spaces
start etcd "$bin/kube" etcd $(etcd_flags "$dir/etcd" "$etcd" unix://peer:1)

attempts=3
[ -n "$port" ] && attempts=1
for ((attempt = 1; ; attempt++)); do
  chosen=${port:-$(pick_port)}
  server=https://127.0.0.1:$chosen
  start kube-apiserver "$bin/kube" kube-apiserver \
    --etcd-servers="$etcd" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$chosen" --cert-dir="$dir" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount --service-cluster-ip-range=$service_cidr \
    --endpoint-reconciler-type=none --allow-privileged=true $(token_flags "$pki") "$@"
  # The port must be held by this very process: a neighbour's server with the same certificates would answer as well.
  serves() { ss -Htlnp "sport = :$chosen" | grep -q "pid=$(cat "$dir/kube-apiserver.pid")," && is_ready "$pki" "$server"; }
  serves_or_died() { serves || ! { is_running "$dir/etcd.pid" "$dir" && is_running "$dir/kube-apiserver.pid" "$dir"; }; }
  wait_until 60 serves_or_died || true
  serves && break
  if [ $attempt -ge $attempts ]; then
    for log in etcd kube-apiserver; do tail -n 8 "$dir/$log.log" >&2; done
    "$here/api_down.sh" "$dir" --keep
    die "API server: did not get ready on port $chosen; its logs: $dir/*.log"
  fi
  stop "$dir/kube-apiserver.pid" "$dir" KILL
done

write_kubeconfig "$pki" admin "$server" "$dir/kubeconfig"
ln -sfn "$pki" "$dir/pki"
ln -sfn "$bin" "$dir/bin"
if [ -n "$parent" ]; then
  setsid bash -c 'tail --pid="$1" -f /dev/null; exec "$2" "$3"' guard "$parent" "$here/api_down.sh" "$dir" </dev/null >/dev/null 2>&1 &
  echo $! >"$dir/guard.pid"
fi
say "API server: ready at $server; kubeconfig: $dir/kubeconfig"
echo "$dir/kubeconfig"
