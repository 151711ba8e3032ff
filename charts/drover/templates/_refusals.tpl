{{/* What the schema cannot refuse: values that exclude each other, and what the chart has already. */}}
{{- define "drover.refusals" -}}
{{- $values := .Values -}}
{{- include "drover.refuseName" . -}}
{{- if and $values.image.tag $values.image.digest -}}
{{- fail (printf "image.tag %s has no effect, for image.digest is set: leave the tag out, or set image.digest to \"\"" $values.image.tag) -}}
{{- end -}}
{{- $own := include "drover.ownLabels" . | fromYaml | merge (dict "app.kubernetes.io/component" "") -}}
{{- range $at, $labels := dict "commonLabels" $values.commonLabels "podLabels" $values.podLabels "metrics.serviceMonitor.labels" $values.metrics.serviceMonitor.labels "metrics.podMonitor.labels" $values.metrics.podMonitor.labels "metrics.prometheusRule.labels" $values.metrics.prometheusRule.labels "metrics.dashboards.labels" $values.metrics.dashboards.labels -}}
{{- range $name, $_ := $labels -}}
{{- if hasKey $own $name -}}
{{- fail (printf "%s: %s is the chart's own label: leave it out" $at $name) -}}
{{- end -}}
{{- if and (ne $at "commonLabels") (hasKey ($values.commonLabels | default dict) $name) -}}
{{- fail (printf "%s: %s is in commonLabels too: leave it out of one of them" $at $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $values.extraEnv -}}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE") -}}
{{- fail (printf "extraEnv: %s is the chart's own, by which an instance is known: leave it out" .name) -}}
{{- end -}}
{{- end -}}
{{- include "drover.refuseArguments" . -}}
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
{{- include "drover.refuseCertificate" . -}}
{{- with $values.podDisruptionBudget -}}
{{- $stay := int .minAvailable -}}
{{- $enough := add1 $stay -}}
{{- if kindIs "string" .minAvailable -}}
{{- $percent := trimSuffix "%" .minAvailable | int -}}
{{- $stay = div (add (mul $percent $values.replicaCount) 99) 100 -}}
{{- $enough = div (sub 199 $percent) (sub 100 $percent) -}}
{{- end -}}
{{- if and .enabled (ge (int $stay) (int $values.replicaCount)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable %v of replicaCount %d would block every drain of a node: set replicaCount to %d or more" .minAvailable (int $values.replicaCount) $enough) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Names that no Service can have, that YAML takes for something else, or that a role of the same kind has. */}}
{{- define "drover.refuseName" -}}
{{- $name := include "drover.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "release %s: a Service's name begins with a letter and has no dots, so set fullnameOverride" .Release.Name) -}}
{{- end -}}
{{- if has $name (list "true" "false" "null" "yes" "no" "on" "off" "y" "n") -}}
{{- fail (printf "objects cannot be called %s, which is no text in YAML: set fullnameOverride to another name" $name) -}}
{{- end -}}
{{- if has $name (list "view" "edit" "admin" "cluster-admin" "drover-view" "drover-edit" "drover-admin" "drover-migrate" "drover-datacenter-admin" "drover-flavors") -}}
{{- fail (printf "the operator's ClusterRole cannot be called %s, for people's rights have that name: set fullnameOverride to another name" $name) -}}
{{- end -}}
{{- end }}

{{/* Arguments that the chart sets itself. The last one given holds, so these would win over the values. */}}
{{- define "drover.refuseArguments" -}}
{{- $set := dict "--lease-duration" "operator.leaseDuration" "--log-format" "operator.logFormat" "--log-level" "operator.logLevel" "--metrics-compat" "metrics.compat" "--metrics-port" "metrics.service.port" "--metrics-vm-detail" "metrics.vmDetail" "--usage-archive" "usageArchive.enabled" -}}
{{- range .Values.operator.extraArgs -}}
{{- $option := splitList "=" . | first -}}
{{- with get $set $option -}}
{{- fail (printf "operator.extraArgs: the chart gives %s itself: set %s" $option .) -}}
{{- end -}}
{{- if eq $option "--namespace" -}}
{{- fail "operator.extraArgs: --namespace is the release's: install it with -n" -}}
{{- end -}}
{{- if eq $option "--identity" -}}
{{- fail "operator.extraArgs: with --identity all instances have one name, and each takes the Lease for its own: leave it out, the name is the pod's" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Parts of a certificate that its mode does not read, or that it needs. */}}
{{- define "drover.refuseCertificate" -}}
{{- with .Values.webhook.certificate -}}
{{- $mode := .mode -}}
{{- range $key, $needed := dict "issuerRef" "certManager" "existingSecret" "existingSecret" "caBundle" "existingSecret" -}}
{{- if and (index $.Values.webhook.certificate $key) (ne $mode $needed) -}}
{{- fail (printf "webhook.certificate.%s has no effect with mode %s: set mode %s, or leave it out" $key $mode $needed) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $mode "existingSecret") (not (and .existingSecret .caBundle)) -}}
{{- fail "webhook.certificate.mode existingSecret needs existingSecret, the Secret's name, and caBundle, the authority that the API server is to trust" -}}
{{- end -}}
{{- if eq (.existingSecret | default "") (printf "%s-webhook" (include "drover.fullname" $)) -}}
{{- fail (printf "webhook.certificate.existingSecret %s is the name of the chart's own Secret, which goes when the mode changes: call yours otherwise" .existingSecret) -}}
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
