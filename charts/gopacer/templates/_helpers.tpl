{{/* Name of everything that the release makes. */}}
{{- define "gopacer.name" -}}
{{- if contains "gopacer" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-gopacer" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "gopacer.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "gopacer.name" .) }}
{{- end -}}

{{- define "gopacer.selector" -}}
app.kubernetes.io/name: gopacer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gopacer.labels" -}}
{{ include "gopacer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Rights to the workloads and to our own kinds: cluster-wide, or in the watched namespace only. */}}
{{- define "gopacer.workloadRules" -}}
- apiGroups: [gopacer.dev]
  resources: [goruntimeprofiles]
  verbs: [get, list, watch, patch]
- apiGroups: [gopacer.dev]
  resources: [goruntimetrials]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gopacer.dev]
  resources: [goruntimeprofiles/status, goruntimetrials/status]
  verbs: [get, patch]
# So that a trial may own its Deployments where the cluster checks that.
- apiGroups: [gopacer.dev]
  resources: [goruntimetrials/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Only to see who else steers the target.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [autoscaling.k8s.io]
  resources: [verticalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
