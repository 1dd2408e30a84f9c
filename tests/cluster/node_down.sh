#!/usr/bin/env bash
# Takes the one-node cluster down, also one that crashed, and leaves nothing: no process, link, route, cgroup or file.
# Safe to repeat. Needs root if there is something to take down.
. "$(dirname "$0")/lib.sh"

run=$node_run
# Process 1 of the node's pid namespace takes all others with it. It is looked for by its argument, the run directory,
# because its pid file may be lost.
node_processes() { pgrep -f "node\.sh $(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$run")\$"; }
if pids=$(node_processes); then
  # shellcheck disable=SC2086 # a list
  kill -KILL $pids 2>/dev/null || true
  wait_until 10 eval '! node_processes' || die "cluster: process $(node_processes | head -n1) of the node does not end; look at what it waits for: cat /proc/PID/stack"
fi

# The link goes with the node's network namespace, sooner or later. If no node was ours and it stays, it is another one's.
link_is_gone() { ! ip link show $host_link; }
if [ -n "${pids:-}" ]; then
  ip link del $host_link 2>/dev/null || true
elif ! wait_until 2 link_is_gone; then
  if ip link show $host_link | grep -q LOWER_UP; then
    say "cluster: $host_link belongs to a node that another cache or container has started; left alone"
  else
    ip link del $host_link
  fi
fi

cgroups_are_gone() {
  local directory left=0
  for directory in /sys/fs/cgroup/$cgroup /sys/fs/cgroup/*/$cgroup; do
    [ -d "$directory" ] || continue
    find "$directory" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
  done
  return $left
}
wait_until 10 cgroups_are_gone || say "cluster: some cgroups named $cgroup are still busy; run ./dev cluster down again"

[ -d "$run" ] || exit 0
rm -rf --one-file-system "$run"
rmdir /var/lib/kubelet /var/lib/cni 2>/dev/null || true # mount points; left alone if somebody else's
