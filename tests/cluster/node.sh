#!/usr/bin/env bash
# Process 1 of the node's namespaces: prepares the mounts, starts every component and stays. When it ends, the kernel
# ends all that runs here. node_up.sh runs it.
. "$(dirname "$0")/lib.sh"
set +e
run=$node_run pki=$node_run/pki
cd /

# --- mounts. The new sysfs shows this network namespace, but hides the cgroup mounts: carry them over.
mkdir -p "$run/cgroups"
mount --rbind /sys/fs/cgroup "$run/cgroups" && mount -t sysfs sysfs /sys &&
  mount --rbind "$run/cgroups" /sys/fs/cgroup && umount -l "$run/cgroups"
mount --make-rshared / # the kubelet needs it; only in this mount namespace
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/netns /run/lock /run/containerd /var/lib/kubelet /var/lib/cni
mount --bind "$run/containerd/sock" /run/containerd # where cAdvisor looks for containerd
mount --bind "$run/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount --bind "$run/cni/cache" /var/lib/cni

# --- cgroups: the root of all pods, with every controller in it.
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  enable_controllers() { # DIRECTORY
    local controller
    for controller in $(cat "$1/cgroup.controllers"); do
      echo "+$controller" >"$1/cgroup.subtree_control" || return 1
    done
  }
  # In a container the top is no real root, and may pass controllers on only while no process sits in it.
  if ! enable_controllers /sys/fs/cgroup 2>/dev/null && [ -e /sys/fs/cgroup/cgroup.type ]; then
    mkdir -p /sys/fs/cgroup/rest
    for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$pid" >/sys/fs/cgroup/rest/cgroup.procs; done 2>/dev/null
    enable_controllers /sys/fs/cgroup
  fi
  mkdir -p /sys/fs/cgroup/$cgroup
else
  for hierarchy in /sys/fs/cgroup/*/; do
    mkdir -p "$hierarchy$cgroup" 2>/dev/null
  done
  for file in cpuset.cpus cpuset.mems; do
    [ -e /sys/fs/cgroup/cpuset/$file ] && cat /sys/fs/cgroup/cpuset/$file >/sys/fs/cgroup/cpuset/$cgroup/$file
  done
fi

# --- network
hostname $node_name
ip link set lo up
wait_until 10 ip link show eth0 || exit 1
ip addr add $node_ip/24 dev eth0
ip link set eth0 up
ip route add default via $host_ip
sysctl -qw net.ipv4.ip_forward=1
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && sysctl -qw net.bridge.bridge-nf-call-iptables=1

# --- components
# Some give up when the API server is slow to answer, on a busy machine for instance: each gets five lives.
start() { # NAME COMMAND...
  local name=$1 life
  shift
  {
    for life in 1 2 3 4 5; do
      "$@" >>"$run/log/$name.log" 2>&1
      echo "$name ended with exit code $? in life $life of 5" >>"$run/log/$name.log"
      sleep 0.3
    done
    echo "$name ended five times; its log: $run/log/$name.log" >>"$run/died"
  } &
}
kube() { # COMPONENT FLAG...
  start "$1" "$bin/kube" "$@"
}
as() { # USER: the three flags with which a component finds the API server and lets it check its own callers
  echo "--kubeconfig=$run/$1.kubeconfig --authentication-kubeconfig=$run/$1.kubeconfig --authorization-kubeconfig=$run/$1.kubeconfig"
}
# shellcheck disable=SC2046 # flags have no spaces
{
  kube etcd $(etcd_flags "$run/etcd" http://127.0.0.1:2379 http://127.0.0.1:2380)
  start containerd containerd -c "$run/containerd.toml"
  kube kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=$node_ip --advertise-address=$node_ip --secure-port=6443 \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    $(token_flags "$pki") --service-cluster-ip-range=$service_cidr \
    --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key" \
    --enable-aggregator-routing=true --audit-policy-file="$here/audit.yaml" --audit-log-path="$run/log/audit.log"

  # The kubelet needs the pause image at once.
  ctr=(ctr -a /run/containerd/containerd.sock -n k8s.io)
  wait_until 30 "${ctr[@]}" version
  "${ctr[@]}" images import "$bin/pause.tar"

  # The other components give up if they start before the API server knows their rights.
  # Their usual client limits would cost seconds of start-up.
  wait_until 90 is_ready "$pki" https://$node_ip:6443
  kube kube-controller-manager $(as controller-manager) --bind-address=127.0.0.1 --leader-elect=false \
    --use-service-account-credentials=true --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" --allocate-node-cidrs=false \
    --flex-volume-plugin-dir="$run/kubelet/volume-plugins" --node-monitor-period=1s --kube-api-qps=1000 --kube-api-burst=2000
  kube kube-scheduler $(as scheduler) --bind-address=127.0.0.1 --leader-elect=false --kube-api-qps=1000 --kube-api-burst=2000
  # cAdvisor looks at each container once a second instead of every ten: what gopacer reads of it is then fresh.
  kube kubelet --config="$run/kubelet.yaml" --kubeconfig="$run/kubelet.kubeconfig" --hostname-override=$node_name \
    --node-ip=$node_ip --housekeeping-interval=1s
  kube kube-proxy --config="$run/kube-proxy.yaml"

  sed "s#CA_BUNDLE#$(base64 -w0 "$pki/ca.crt")#; s#NODE_IP#$node_ip#" "$here/manifests/metrics-server.yaml" |
    "$bin/kubectl" --kubeconfig="$run/admin.kubeconfig" apply -f -
  start metrics-server "$bin/metrics-server" $(as metrics-server) --bind-address=$node_ip --secure-port=4443 \
    --tls-cert-file="$pki/metrics-server-server.crt" --tls-private-key-file="$pki/metrics-server-server.key" \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$pki/ca.crt" \
    --metric-resolution=10s --kubelet-request-timeout=5s
}

trap 'exit 0' TERM INT
while :; do
  sleep infinity &
  wait $!
done
