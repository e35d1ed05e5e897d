{{- define "css-vpcep-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Pods are named after it, with a number, and labelled with a digest: 63 characters in all. */}}
{{- define "css-vpcep-exporter.fullname" -}}
{{- $name := include "css-vpcep-exporter.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "css-vpcep-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "css-vpcep-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "css-vpcep-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "css-vpcep-exporter.labels" -}}
{{ include "css-vpcep-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "css-vpcep-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "css-vpcep-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "css-vpcep-exporter.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* The exporter's configuration: that of the values, with what the chart itself decides. */}}
{{- define "css-vpcep-exporter.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range $key, $value := dict "shard" "shards" "admin" "admin" }}
{{- if hasKey $config $key }}
{{- fail (printf "config.%s is set by the chart: use the value %s" $key $value) }}
{{- end }}
{{- end }}
{{- if gt (int .Values.shards) 1 }}
{{- $_ := set $config "shard" (dict "from" "hostname-ordinal" "count" (int .Values.shards)) }}
{{- end }}
{{- if .Values.persistence.enabled }}
{{- if hasKey $config "state_file" }}
{{- fail "config.state_file is set by the chart: persistence is enabled" }}
{{- end }}
{{- $_ := set $config "state_file" "/var/lib/css-vpcep-exporter/state" }}
{{- end }}
{{- with .Values.admin }}
{{- if .enabled }}
{{- if not $.Values.persistence.enabled }}
{{- fail "admin.enabled needs persistence.enabled: the audit log must outlive the pod" }}
{{- end }}
{{- $address := printf "127.0.0.1:%d" (int .port) }}
{{- $hosts := default (list $address (printf "localhost:%d" (int .port))) .hosts }}
{{- $admin := dict "listen" $address "hosts" $hosts "tokens" .tokens "allow_proxy_vni" .allowProxyVni }}
{{- $_ := set $admin "audit_log" "/var/lib/css-vpcep-exporter/audit.jsonl" }}
{{- $_ := set $config "admin" $admin }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "css-vpcep-exporter.configMapName" -}}
{{- default (include "css-vpcep-exporter.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{- define "css-vpcep-exporter.credentialsSecret" -}}
{{- if .Values.credentials.existingSecret }}
{{- .Values.credentials.existingSecret }}
{{- else if .Values.credentials.data }}
{{- printf "%s-credentials" (include "css-vpcep-exporter.fullname" .) }}
{{- end }}
{{- end }}

{{- define "css-vpcep-exporter.webSecret" -}}
{{- if .Values.web.existingSecret }}
{{- .Values.web.existingSecret }}
{{- else if .Values.web.config }}
{{- printf "%s-web" (include "css-vpcep-exporter.fullname" .) }}
{{- end }}
{{- end }}

{{- define "css-vpcep-exporter.scheme" -}}
{{- if or .Values.web.https (hasKey .Values.web.config "tls_server_config") }}https{{ else }}http{{ end }}
{{- end }}

{{- define "css-vpcep-exporter.volumeMounts" -}}
- name: config
  mountPath: /etc/css-vpcep-exporter
  readOnly: true
{{- if include "css-vpcep-exporter.credentialsSecret" . }}
- name: credentials
  mountPath: /run/secrets/css-vpcep-exporter
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Files of secrets are for the group of the pod: the exporter refuses those that everyone can read. */}}
{{- define "css-vpcep-exporter.volumes" -}}
- name: config
  configMap:
    name: {{ include "css-vpcep-exporter.configMapName" . }}
{{- with include "css-vpcep-exporter.credentialsSecret" . }}
- name: credentials
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A probe with the scheme of the listener. */}}
{{- define "css-vpcep-exporter.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if and (hasKey $probe "httpGet") (eq .scheme "https") }}
{{- $_ := set $probe.httpGet "scheme" "HTTPS" }}
{{- end }}
{{- toYaml $probe }}
{{- end }}
