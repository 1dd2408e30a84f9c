#!/usr/bin/env bash
# Brings up the one-node cluster: real kubelet, real containers, in mount, net, uts, ipc and pid namespaces of its own.
# Needs root. Prints the path of the kubeconfig.
. "$(dirname "$0")/lib.sh"

run=$node_run
if is_running "$run/outer.pid" "node.sh $run"; then
  say "cluster: already up; kubeconfig: $run/kubeconfig"
  echo "$run/kubeconfig"
  exit
fi
[ "$(id -u)" = 0 ] || die "cluster: the node needs root for its namespaces; use ./dev cluster up, which asks sudo"
[ -d "$run" ] && say "cluster: an earlier one ended badly; clearing up after it"
"$here/node_down.sh"
if ip link show $host_link >/dev/null 2>&1; then
  die "cluster: $host_link is taken: a node that another cache (GOPACER_CACHE) or container has started is up on this machine; end it there"
fi
"$here/build.sh" kube metrics-server pause >/dev/null
mkdir -p "$run/log"
pki=$(pki)
ln -sfn "$pki" "$run/pki"
ln -sfn "$bin" "$run/bin"
"$here/node_config.sh"

say "cluster: starting"
setsid unshare --mount --net --uts --ipc --pid --fork --kill-child=KILL --mount-proc --propagation unchanged \
  python3 "$here/real_root.py" "$here/node.sh" "$run" </dev/null >"$run/log/node.log" 2>&1 &
outer=$!
echo $outer >"$run/outer.pid"

fail() {
  say "cluster: $1"
  for log in node kubelet kube-apiserver containerd; do
    [ -s "$run/log/$log.log" ] && tail -n 5 "$run/log/$log.log" >&2
  done
  rm -rf "$CACHE/log/cluster" && mkdir -p "$CACHE/log" && cp -r "$run/log" "$CACHE/log/cluster"
  "$here/node_down.sh"
  die "cluster: did not come up; all its logs: $CACHE/log/cluster"
}
# A component that ended for good is a failure, too.
wait_for() { # WHAT COMMAND...
  local what=$1
  shift
  come_or_died() { "$@" || [ -s "$run/died" ]; }
  wait_until 90 come_or_died "$@" || fail "waited 90 s in vain: $what"
  [ ! -s "$run/died" ] || fail "$(head -n1 "$run/died")"
  say "cluster: $what"
}

inner=
has_namespaces() {
  inner=$(awk '{print $1}' "/proc/$outer/task/$outer/children") && [ -n "$inner" ] &&
    [ "$(readlink "/proc/$inner/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
wait_until 10 has_namespaces || fail "the namespaces were not made"
echo "$inner" >"$run/inner.pid"
ip link add $host_link type veth peer name eth0 netns "$inner"
ip addr add $host_ip/24 dev $host_link
ip link set $host_link up
ip route replace $pod_cidr via $node_ip
ip route replace $service_cidr via $node_ip

server=https://$node_ip:6443
wait_for "API server is ready" is_ready "$pki" "$server"
write_kubeconfig "$pki" admin "$server" "$run/kubeconfig"
export KUBECONFIG=$run/kubeconfig
node_is_ready() {
  [ "$("$bin/kubectl" get node $node_name -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}{.spec.taints}')" = True ]
}
wait_for "node is Ready" node_is_ready
wait_for "pods can be made" "$bin/kubectl" get serviceaccount default
say "cluster: up; kubeconfig: $run/kubeconfig"
echo "$run/kubeconfig"
