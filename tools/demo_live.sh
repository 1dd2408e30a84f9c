# The demo of live tuning. tools/demo.sh sources it, whose functions it uses.

settings_of_pods() {
  local agent pod uid
  agent=$("$cluster_bin/kubectl" -n "$release_namespace" get pods -l app.kubernetes.io/name=gopacer-agent -o jsonpath='{.items[0].metadata.name}')
  for pod in $(kubectl get pods -l app=checkout -o jsonpath='{.items[*].metadata.name}'); do
    uid=$(kubectl get pod "$pod" -o jsonpath='{.metadata.uid}')
    kubectl get --raw "/api/v1/namespaces/$release_namespace/pods/$agent:8082/proxy/pods/$uid/app" |
      jq -r --arg pod "$pod" '"  \($pod)  GOGC=\(.settings.gogc) GOMEMLIMIT=\(.settings.goMemLimit // "off")"'
  done
}

operators() { # REPLICAS
  run "$cluster_bin/kubectl" -n "$release_namespace" scale "deployment/$release" --replicas="$1"
}

nobody_runs() { # SETTINGS
  local pods
  pods=$(settings_of_pods) && [ -n "$pods" ] && [[ $pods != *"$1 "* ]]
}

title "A Go service under load that serves no pprof"
sed "s#localhost/#$registry/#; s#- {name: CHECKOUT_LIVE_HEAP, value: 32MiB}#- {name: CHECKOUT_LIVE_HEAP, value: 2MiB}\n        - {name: CHECKOUT_PPROF_LISTEN, value: ''}#" \
  examples/checkout-service.yaml | run kubectl apply -f -
send_load checkout 400 /checkout --carts

title "gopacer with its node agents, installed by helm"
run helm install "$release" charts/gopacer -n "$release_namespace" --skip-crds --set watchNamespace="$namespace" \
  --set image.repository="$registry/gopacer" --set image.tag=dev --set agent.enabled=true --wait --timeout 2m | sed -n '/^\$/p; /^STATUS/p'

title "One profile asks for the running processes to be tuned"
run kubectl apply -f examples/live.yaml
run kubectl patch grp checkout --type=merge -p '{"spec":{
  "runtimeMetrics":{"interval":"2s"}, "canary":{"warmUp":"10s","maxDuration":"8m","minSamples":1000}, "rollback":{"watchFor":"15s","coolDown":"5s"}}}'
wait_for 120 "the first trial" kubectl get grt checkout-1
run kubectl get pods -l app=checkout
before=$(kubectl get pods -l app=checkout -o jsonpath='{.items[*].metadata.uid}')

title "Each pod runs both settings by turns"
for _ in 1 2 3; do
  settings_of_pods
  echo
  sleep 4
done
follow_trial checkout-1 480 || true
run kubectl get grp,grt
kubectl get grt checkout-1 -o jsonpath='{.status.message}{"\n"}'

title "No pod was restarted, and none was added"
run kubectl get pods -l app=checkout
[ "$before" = "$(kubectl get pods -l app=checkout -o jsonpath='{.items[*].metadata.uid}')" ] || die "demo: the pods are others"
settings_of_pods

title "In another trial the operator dies"
run kubectl patch grp checkout --type=merge -p '{"spec":{"objective":{"strategy":"Fixed","settings":{"gogc":50}}}}'
wait_for 60 "a turn of GOGC=50" sh -c "'$cluster_bin/kubectl' -n $namespace get grt checkout-2 -o jsonpath='{.status.live.pods[0]}' | grep -q ."
operators 0
wait_for 30 "the end of the lease" nobody_runs GOGC=50
echo "Nobody is there to end the trial; the agents have put back what the pods had:"
settings_of_pods
run "$cluster_bin/kubectl" -n "$release_namespace" logs -l app.kubernetes.io/name=gopacer-agent --tail=4
