{{/* What app.kubernetes.io/name says. */}}
{{- define "drover.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the operator's objects: `drover` in a release that is called so. 50 leaves room for what is put behind it. */}}
{{- define "drover.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* By these, and a component, Services and Deployments know their pods; they never change. */}}
{{- define "drover.selectorLabels" -}}
app.kubernetes.io/name: {{ include "drover.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The chart's own labels, which no value sets. A component stands beside them where there is one. */}}
{{- define "drover.ownLabels" -}}
{{ include "drover.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: drover
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* On every object, and every pod. */}}
{{- define "drover.labels" -}}
{{ include "drover.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "drover.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "drover.fullname" .) "default") }}
{{- end }}

{{- define "drover.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* Fields of a container: its image, and what it may not do. */}}
{{- define "drover.container" -}}
image: {{ include "drover.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* Fields of a pod's spec that all pods have: who they run as, and where: (dict "root" $ "nodes" .Values.webhook), whose
     nodeSelector and tolerations go before those of all pods. */}}
{{- define "drover.pod" -}}
{{- $values := .root.Values -}}
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodes.nodeSelector | default $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodes.tolerations | default $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* How the pods of a component stand to other pods: (dict "root" $ "component" "operator" "affinity" .Values.affinity). */}}
{{- define "drover.spread" -}}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
- {{ toYaml . | nindent 2 | trim }}
  {{- if not (hasKey . "labelSelector") }}
  labelSelector:
    matchLabels:
      {{- include "drover.selectorLabels" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A generated manifest with our labels, and annotations where there are any: (dict "root" $ "text" "..." "annotations" (dict)).
     It stays text: through YAML and back, Helm would make floats of large integers. */}}
{{- define "drover.labelled" -}}
{{- $labels := include "drover.labels" .root | nindent 4 -}}
{{- $annotations := "" -}}
{{- with .annotations -}}
{{- $annotations = printf "  annotations:%s\n" (toYaml . | nindent 4) -}}
{{- end -}}
{{ .text | replace "\nmetadata:\n" (printf "\nmetadata:\n%s  labels:%s\n" $annotations $labels) | trim }}
{{- end }}

{{/* Egress rules of a NetworkPolicy: DNS, the API server, and what values add. */}}
{{- define "drover.egress" -}}
- ports:
  - port: 53
    protocol: UDP
  - port: 53
    protocol: TCP
- ports:
  {{- range .Values.networkPolicy.apiServerPorts }}
  - port: {{ . }}
    protocol: TCP
  {{- end }}
  {{- with .Values.networkPolicy.apiServerTo }}
  to:
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
