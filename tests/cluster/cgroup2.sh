#!/usr/bin/env bash
# Runs a command on the one-node cluster under a kernel with cgroup v2, on a machine that itself has cgroup v1 or v2:
#   cgroup2.sh [COMMAND...]        verify.sh without arguments; paths in the working directory
# The kernel is Debian's user-mode-linux: a process like others, that sees this machine's files, has one processor, and
# is slow at system calls. Coming up takes minutes. Root only. Why so: docs/decisions/0010.
. "$(dirname "$0")/lib.sh"

# --- inside: the process that the kernel starts
if [ $$ = 1 ]; then
  home=$2
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t tmpfs tmpfs /run
  mount -t tmpfs tmpfs /mnt
  mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
  ln -sfn /proc/self/fd /dev/fd
  for module in overlay veth bridge br_netfilter nf_conntrack nf_nat iptable_nat iptable_filter iptable_mangle ip_set nf_tables \
    xt_tcpudp xt_MASQUERADE ipt_REJECT xt_state xt_comment xt_conntrack xt_mark xt_addrtype xt_statistic xt_nat xt_multiport xt_recent nft_compat nft_ct nft_masq; do
    modprobe -d "$home" $module 2>/dev/null || true # some are built in
  done
  ip link set lo up
  # This kernel cannot do NAT by nftables.
  mkdir /mnt/bin
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do ln -s /usr/sbin/xtables-legacy-multi /mnt/bin/$name; done
  export PATH=/mnt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt
  export GOPACER_CACHE=/mnt/cache GOPACER_PROXY_MODE=iptables GOPACER_CLUSTER_PATIENCE=10
  mkdir -p "$GOPACER_CACHE/cluster"
  for part in "$CACHE"/*; do [[ $part == */cluster ]] || ln -s "$part" "$GOPACER_CACHE/"; done
  cp -a "$CACHE"/cluster/{bin,helm-*,kube-*,metrics-server-*,pause-*,pki-*} "$GOPACER_CACHE/cluster/"
  # The kubelet wants to know the processor's clock, which this kernel does not tell.
  for kube in "$GOPACER_CACHE"/cluster/kube-*; do
    mv "$kube" "$kube.real"
    printf '#!/bin/bash\n[[ "$0 $1" == *kubelet* ]] && mount --bind %q /proc/cpuinfo\nexec -a "$0" %q "$@"\n' "$home/cpuinfo" "$kube.real" >"$kube"
    chmod +x "$kube"
  done
  result=0
  {
    "$here/node_up.sh" && say "cgroup2: $(stat -fc %T /sys/fs/cgroup) with $(cat "/sys/fs/cgroup/$cgroup/cgroup.controllers")" &&
      bash "$home/command"
  } || result=$?
  echo $result >"$home/result"
  sync
  halt -f -p
fi

# --- outside
[ "$(id -u)" = 0 ] || die "cgroup2: the cluster's node needs root"
"$here/build.sh" >/dev/null
"$ROOT/tests/workloads/build.sh" >/dev/null
home=$CACHE/cgroup2
if [ ! -x "$home/usr/bin/linux.uml" ]; then
  say "cgroup2: fetching Debian's user-mode-linux"
  mkdir -p "$home/lib/modules"
  (cd "$home" && quietly "$CACHE/log/cgroup2.log" apt-get -o APT::Sandbox::User=root download user-mode-linux && dpkg -x user-mode-linux_*.deb .)
  ln -sfn ../../usr/lib/uml/modules/"$(ls "$home/usr/lib/uml/modules")" "$home/lib/modules/"
fi
{ awk '/^processor/ { n++ } n < 2' /proc/cpuinfo && echo 'cpu MHz : 2000.000'; } >"$home/cpuinfo"
rm -f "$home/result"
[ $# -gt 0 ] || set -- "$here/verify.sh"
# A kernel's command line knows no quotes.
printf 'cd %q && %s\n' "$PWD" "$(printf '%q ' "$@")" >"$home/command"
say "cgroup2: starting a kernel"
# What follows "--" are the arguments of its first process.
TMPDIR=/dev/shm "$home/usr/bin/linux.uml" mem=10G root=/dev/root rootfstype=hostfs rootflags=/ rw quiet con=null con0=null,fd:1 \
  GOPACER_CACHE="$CACHE" init="$here/cgroup2.sh" -- inside "$home" </dev/null
exit "$(cat "$home/result" 2>/dev/null || echo 1)"
