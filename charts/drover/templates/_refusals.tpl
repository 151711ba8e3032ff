{{/* What the schema cannot refuse: values that exclude each other, and what the chart has already. */}}
{{- define "drover.refusals" -}}
{{- $values := .Values -}}
{{- if not (regexMatch "^[a-z]" (include "drover.fullname" .)) -}}
{{- fail (printf "release %s: a Service's name begins with a letter, so set fullnameOverride" .Release.Name) -}}
{{- end -}}
{{- $own := include "drover.labels" . | fromYaml | merge (dict "app.kubernetes.io/component" "") -}}
{{- range $at, $labels := dict "podLabels" $values.podLabels "metrics.serviceMonitor.labels" $values.metrics.serviceMonitor.labels "metrics.podMonitor.labels" $values.metrics.podMonitor.labels "metrics.prometheusRule.labels" $values.metrics.prometheusRule.labels "metrics.dashboards.labels" $values.metrics.dashboards.labels -}}
{{- range $name, $_ := $labels -}}
{{- if hasKey $own $name -}}
{{- fail (printf "%s: %s is the chart's own label: leave it out" $at $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $archive := $values.usageArchive -}}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled scrape the same pages, so every sum would be double: enable one" -}}
{{- end -}}
{{- if and $archive.enabled (eq $archive.accessMode "ReadWriteOnce") (gt (int $values.replicaCount) 1) -}}
{{- fail (printf "replicaCount %d, but usageArchive.accessMode ReadWriteOnce is one instance's: set ReadWriteMany, with a volume that can, or replicaCount 1" (int $values.replicaCount)) -}}
{{- end -}}
{{- with $values.webhook -}}
{{- if and .enabled (eq .failurePolicy "Fail") (eq (int .replicaCount) 0) -}}
{{- fail "webhook.replicaCount 0 with failurePolicy Fail would refuse every write of VMs: set failurePolicy Ignore, or replicaCount 1 or more" -}}
{{- end -}}
{{- end -}}
{{- with $values.podDisruptionBudget -}}
{{- if and .enabled (ge (int .minAvailable) (int $values.replicaCount)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable %d of replicaCount %d would block every drain of a node: set replicaCount to %d or more" (int .minAvailable) (int $values.replicaCount) (add1 .minAvailable)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Drover serves all namespaces, so a cluster has one. A role that every release makes tells of another. */}}
{{- define "drover.refuseSecond" -}}
{{- $role := lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "drover-view" -}}
{{- $by := ($role.metadata | default dict).annotations | default dict -}}
{{- with index $by "meta.helm.sh/release-name" -}}
{{- $there := index $by "meta.helm.sh/release-namespace" -}}
{{- if not (and (eq . $.Release.Name) (eq $there $.Release.Namespace)) -}}
{{- fail (printf "release %s in namespace %s is Drover for this whole cluster already: upgrade that one, or `helm uninstall %s -n %s` first (and where it is gone, `kubectl delete clusterrole drover-view`)" . $there . $there) -}}
{{- end -}}
{{- end -}}
{{- end }}
