# What one run of the demo makes in a cluster, and how it takes it away again. Source it; it wants common.sh, KUBECONFIG, and
# the functions kubectl and helm.
#
# A cluster may be somebody's own. So everything has a name that only this run has, is made and never taken over, and carries
# the label of this run; and nothing is removed but by that label.

demo_label=gopacer.dev/demo-run

# name_run [ID]: sets the names of this run.
name_run() {
  run_id=${1:-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')}
  namespace=gopacer-demo-$run_id # of the services
  release=gopacer-demo-$run_id
  release_namespace=gopacer-demo-$run_id-operator
}

is_ours() { # KIND NAME
  [ "$(kubectl get "$1" "$2" -o jsonpath="{.metadata.labels.gopacer\.dev/demo-run}" 2>/dev/null)" = "$run_id" ]
}

# make_place: the two namespaces and, where the cluster has none, the definitions. Dies before it changes anything when
# something is in the way.
make_place() {
  local there name
  there=$(kubectl get deployments -A -l app.kubernetes.io/name=gopacer -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name} {end}') ||
    die "demo: this cluster can't be looked at; see above"
  [ -z "$there" ] || die "demo: gopacer is installed in this cluster already (${there% }), and two would work on the same services: take a cluster without (the local one: ./dev cluster down)"
  for name in "$namespace" "$release_namespace"; do
    kubectl get namespace "$name" >/dev/null 2>&1 &&
      die "demo: namespace $name exists already and is not this run's: start again, and another name is taken"
  done
  for name in "$namespace" "$release_namespace"; do
    # create, which fails on what exists, and never apply.
    kubectl create namespace "$name" >/dev/null
    kubectl label namespace "$name" "$demo_label=$run_id" >/dev/null
  done
  for name in goruntimeprofiles.gopacer.dev goruntimetrials.gopacer.dev; do
    kubectl get crd "$name" >/dev/null 2>&1 && continue
    kubectl create -f "crds/gopacer.dev_${name%%.*}.yaml" >/dev/null
    kubectl label crd "$name" "$demo_label=$run_id" >/dev/null
  done
}

# clear_place: removes what carries this run's label, and nothing else.
clear_place() {
  local kind name
  if is_ours namespace "$release_namespace"; then
    # Before the services: uninstalling ends what runs. Where the Job for it can't run, the rest goes all the same.
    helm uninstall "$release" -n "$release_namespace" >/dev/null 2>&1 ||
      helm uninstall "$release" -n "$release_namespace" --no-hooks >/dev/null 2>&1 || true
  fi
  for name in "$namespace" "$release_namespace"; do
    if is_ours namespace "$name"; then kubectl delete namespace "$name" --wait=false >/dev/null; fi
  done
  for kind in goruntimeprofiles goruntimetrials; do
    is_ours crd "$kind.gopacer.dev" || continue
    # Somebody may have begun to use them in the meantime.
    if kubectl get "$kind" -A --no-headers -o custom-columns=:metadata.namespace | grep -qvx "$namespace"; then
      say "demo: the definition of $kind stays, because others use it by now"
    else
      kubectl delete crd "$kind.gopacer.dev" --wait=false >/dev/null
    fi
  done
}

how_to_clear() {
  cat <<HELP
The demo's namespaces and definitions are left as they are. To remove them:
  helm uninstall $release -n $release_namespace
  kubectl delete namespaces,crds -l $demo_label=$run_id
HELP
}
