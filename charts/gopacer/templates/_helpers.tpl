{{/* Name of everything that the release makes. */}}
{{- define "gopacer.name" -}}
{{- if contains "gopacer" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-gopacer" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "gopacer.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "gopacer.name" .) }}
{{- end -}}

{{/* A digest, where there is one, says more than a tag. */}}
{{- define "gopacer.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Numbers as they were written: without int64 a large one may come out as 1e+09. */}}
{{- define "gopacer.podSecurityContext" -}}
runAsNonRoot: true
{{- range $key, $number := .Values.podSecurityContext }}
{{ $key }}: {{ int64 $number }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "gopacer.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The operator as the API server knows it. */}}
{{- define "gopacer.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "gopacer.serviceAccount" . }}
{{- end -}}

{{/* The lease's name, of release and scope: the namespace that holds it is the release's. */}}
{{- define "gopacer.lease" -}}
{{ include "gopacer.name" . }}{{ with .Values.watchNamespace }}-in-{{ . }}{{ end }}
{{- end -}}

{{/* "yes" where the policies are wanted and the cluster has them, which each has from 1.30 on. */}}
{{- define "gopacer.hasPolicies" -}}
{{- if and .Values.admissionPolicies.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
yes
{{- end -}}
{{- end -}}

{{/* As a list of CEL. The operator's own namespace too, unless it is asked to work there. */}}
{{- define "gopacer.excludedNamespaces" -}}
{{- $names := .Values.excludedNamespaces -}}
{{- if ne .Values.watchNamespace .Release.Namespace -}}{{- $names = append $names .Release.Namespace -}}{{- end -}}
['{{ join "', '" (uniq $names) }}']
{{- end -}}

{{- define "gopacer.selector" -}}
app.kubernetes.io/name: gopacer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of the node agents: the operator's own selectors must not match them. */}}
{{- define "gopacer.agentSelector" -}}
app.kubernetes.io/name: gopacer-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gopacer.agentLabels" -}}
{{ include "gopacer.agentSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "gopacer.labels" -}}
{{ include "gopacer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Of objects for the Prometheus operator or Grafana: namespace, and the value's labels beside our own. */}}
{{- define "gopacer.monitoringMetadata" -}}
namespace: {{ .at.namespace | default .root.Release.Namespace }}
labels: {{- merge (.own | fromYaml) .at.labels | toYaml | nindent 2 }}
{{- end -}}

{{/* What is the same of ServiceMonitor and PodMonitor. */}}
{{- define "gopacer.endpoint" -}}
path: /metrics
{{- with .Values.serviceMonitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .Values.serviceMonitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
# The metrics' namespace, pod and container are those of the tuned service, not of the pod that tells of it.
honorLabels: true
{{- end -}}

{{/*
Rights to the workloads and to our own kinds: cluster-wide, or in the watched namespace only.
tests/cluster/rights.py holds them against the requests that the operator makes.
*/}}
{{- define "gopacer.workloadRules" -}}
- apiGroups: [gopacer.dev]
  resources: [goruntimeprofiles]
  verbs: [get, list, watch, patch]
- apiGroups: [gopacer.dev]
  resources: [goruntimetrials]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gopacer.dev]
  resources: [goruntimeprofiles/status, goruntimetrials/status]
  verbs: [patch]
# So that a trial may own its Deployments where the cluster checks that.
- apiGroups: [gopacer.dev]
  resources: [goruntimetrials/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# What joins pods to their Deployment.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Only to see who else steers the target.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
- apiGroups: [autoscaling.k8s.io]
  resources: [verticalpodautoscalers]
  verbs: [list, watch]
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [list, watch]
- apiGroups: [flagger.app]
  resources: [canaries]
  verbs: [list, watch]
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/*
Two operators on the same services would undo each other's work. Found by the ClusterRoles of other releases, which say their
scope; one without it is of a chart that did not say it, and may be anywhere.
*/}}
{{- define "gopacer.refuseOverlap" -}}
{{- $mine := .Values.watchNamespace | default "*" -}}
{{- $release := .Release -}}
{{- range (lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "").items -}}
  {{- $annotations := .metadata.annotations | default dict -}}
  {{- $theirs := index $annotations "gopacer.dev/scope" | default "*" -}}
  {{- $isGopacer := and (eq (index (.metadata.labels | default dict) "app.kubernetes.io/name" | default "") "gopacer") (not (hasKey (.metadata.labels | default dict) "app.kubernetes.io/component")) -}}
  {{- $name := index $annotations "meta.helm.sh/release-name" | default .metadata.name -}}
  {{- $ns := index $annotations "meta.helm.sh/release-namespace" | default "" -}}
  {{- $other := or (ne $name $release.Name) (ne $ns $release.Namespace) -}}
  {{- if and $isGopacer $other (or (eq $theirs "*") (eq $mine "*") (eq $theirs $mine)) -}}
    {{- fail (printf "release %s in namespace %s is gopacer too and works in %s: two would work on the same services. Set watchNamespace of both to different namespaces, or uninstall one" $name $ns (ternary "all namespaces" (printf "namespace %s" $theirs) (eq $theirs "*"))) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
