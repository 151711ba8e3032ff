{{/* What a ServiceMonitor and a PodMonitor say alike of a page: (dict "page" "/metrics" "job" "drover" "interval" "15s").
     Rules and dashboards know the pages by their job, whatever the release is called. */}}
{{- define "drover.scrape" -}}
- port: metrics
  path: {{ .page }}
  interval: {{ .interval }}
  {{- if eq .job "drover" }}
  relabelings:
  - {action: replace, targetLabel: job, replacement: drover}
  {{- else }}
  # It tells of namespaces and hosts, not of the pod that tells: a failover goes on with the same series.
  relabelings:
  - {action: replace, targetLabel: job, replacement: {{ .job }}}
  - {action: labeldrop, regex: namespace|service|pod|container|endpoint}
  metricRelabelings:
  - {action: labeldrop, regex: instance}
  {{- end }}
{{- end }}

{{/* The limits of the state page, which grows with the number of VMs; 503 of a standby is no fault. */}}
{{- define "drover.scrapeLimits" -}}
sampleLimit: 200000
bodySizeLimit: 64MB
{{- end }}
