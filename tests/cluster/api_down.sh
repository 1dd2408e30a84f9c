#!/usr/bin/env bash
# Stops what api_up.sh started in DIR and removes DIR, or keeps the logs with --keep. Safe to repeat.
. "$(dirname "$0")/lib.sh"
dir=${1:?usage: api_down.sh DIR [--keep]}
[ -d "$dir" ] || exit 0
dir=$(cd "$dir" && pwd)
# The guard may be the very process that runs this.
[ "$(cat "$dir/guard.pid" 2>/dev/null)" = $$ ] || stop "$dir/guard.pid" "$dir"
stop "$dir/kube-apiserver.pid" "$dir" KILL # its orderly end takes seconds, and nothing is kept
stop "$dir/etcd.pid" "$dir" KILL
rm -rf "$dir"/{etcd,etcd:1,peer:1,kubeconfig,kubeconfig.tmp,pki,bin,guard.pid}
[ "${2:-}" = --keep ] && exit
rm -f "$dir"/{etcd,kube-apiserver}.log
rmdir "$dir" 2>/dev/null || true # not ours alone if something else is in it
