# Settings and helpers that the cluster's scripts share. Source it.
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/common.sh"

here=$ROOT/tests/cluster
bin=$CACHE/cluster/bin
runs=$CACHE/cluster/run

# The full cluster: one node in namespaces of its own, joined to the host by a veth pair. One per machine.
node_name=node1
node_ip=10.250.0.1 # in the node
host_ip=10.250.0.254 # the host's end
host_link=gopacer0
pod_cidr=10.244.0.0/16
service_cidr=10.96.0.0/16
kubernetes_ip=10.96.0.1
# All pods live below it. Only who runs a second node in another network namespace needs another name.
cgroup=${GOPACER_CLUSTER_CGROUP:-gopacer-test}
node_run=$runs/node
containerd_socket=$node_run/containerd/sock/containerd.sock # as the host sees it

# All waits are this many times as long. An emulated machine needs 30.
patience=${GOPACER_CLUSTER_PATIENCE:-1}

# wait_until SECONDS COMMAND...: polls; false when the time is up.
wait_until() {
  local deadline=$((${EPOCHREALTIME/./} + $1 * patience * 1000000))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "${EPOCHREALTIME/./}" -lt "$deadline" ] || return 1
    sleep 0.05
  done
}

# is_running PID_FILE MARK: true if the process still exists and is ours (a pid may have been given to somebody else).
is_running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$2"* ]]
}

# stop PID_FILE MARK SIGNAL: ends the process, waits until it is gone.
stop() {
  is_running "$1" "$2" && kill "-${3:-TERM}" "$(cat "$1")" 2>/dev/null
  if ! wait_until 10 eval "! is_running '$1' '$2'"; then
    kill -KILL "$(cat "$1")" 2>/dev/null || true
  fi
  rm -f "$1"
}

# pki prints the directory with all certificates; they are made once, for every cluster on this machine.
pki() {
  local key dir
  key=$(sha256sum "$here/pki.sh" | cut -c1-16)
  dir=$CACHE/cluster/pki-$key
  [ -f "$dir/done" ] || "$here/pki.sh" "$dir" >&2
  echo "$dir"
}

# write_kubeconfig PKI USER SERVER FILE
write_kubeconfig() {
  local ca certificate key
  ca=$(base64 -w0 "$1/ca.crt") certificate=$(base64 -w0 "$1/$2.crt") key=$(base64 -w0 "$1/$2.key")
  (
    umask 077
    cat >"$4.tmp" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "$3", certificate-authority-data: $ca}}]
users: [{name: $2, user: {client-certificate-data: $certificate, client-key-data: $key}}]
contexts: [{name: test, context: {cluster: test, user: $2}}]
current-context: test
YAML
  )
  mv "$4.tmp" "$4"
}

# is_ready PKI SERVER: /readyz asked as admin, so that the answer also means that the RBAC rules are in place.
is_ready() {
  curl -sfo /dev/null --max-time $((2 * patience)) --cacert "$1/ca.crt" --cert "$1/admin.crt" --key "$1/admin.key" "$2/readyz"
}

# token_flags PKI: how the API server signs and checks service account tokens.
token_flags() {
  echo --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$1/sa.pub" \
    --service-account-signing-key-file="$1/sa.key"
}

# etcd_flags DATA_DIR CLIENT_URL PEER_URL. Durability is not wanted of a test.
etcd_flags() {
  echo --data-dir "$1" --listen-client-urls "$2" --advertise-client-urls "$2" --listen-peer-urls "$3" \
    --initial-advertise-peer-urls "$3" --initial-cluster "default=$3" --unsafe-no-fsync --log-level warn
}
