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

{{/* On every object. A component stands beside them where there is one. */}}
{{- define "drover.labels" -}}
{{ include "drover.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: drover
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
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

{{/* Fields of a pod's spec that all pods share: who they run as, and where. */}}
{{- define "drover.pod" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
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
