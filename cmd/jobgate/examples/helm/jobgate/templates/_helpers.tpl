{{- define "jobgate.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}
{{- else if contains "jobgate" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-jobgate" (.Release.Name | trunc 42 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "jobgate.selector" -}}
app.kubernetes.io/name: jobgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "jobgate.labels" -}}
{{ include "jobgate.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "jobgate-%s" .Chart.Version }}
{{- end }}

{{- define "jobgate.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "jobgate.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "jobgate.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* Whether the mode includes the IoT Jobs service; empty: no. */}}
{{- define "jobgate.jobs" -}}
{{ if hasPrefix "jobs-" .Values.mode }}yes{{ end }}
{{- end }}

{{- define "jobgate.controlSecret" -}}
{{ .Values.jobs.control.tls.secret | default .Values.devices.tls.secret }}
{{- end }}

{{/* The memory of one silent connection, in KiB, from gateway/edge/CONNECTIONS.md. It includes the growth of the resident set
beyond the live heap. */}}
{{- define "jobgate.connectionKiB" -}}
{{ if .Values.devices.tls.secret }}16{{ else }}4{{ end }}
{{- end }}

{{/* The memory limit in MiB: the base, the cache, connections, 64 KiB for each concurrent request (128 KiB with its TLS
records), and the jobs that jobs-sqlite keeps in memory. */}}
{{- define "jobgate.memoryMiB" -}}
{{- $v := .Values }}
{{- if eq $v.mode "sidecar" }}{{ add $v.memory.base $v.memory.cache }}
{{- else }}
{{- $connections := div (mul $v.devices.maxConnections (include "jobgate.connectionKiB" . | int)) 1024 }}
{{- if $v.mqtt.enabled }}{{ $connections = mul 2 $connections }}{{ end }}
{{- $requests := div (mul $v.memory.inFlight (ternary 128 64 (ne $v.devices.tls.secret ""))) 1024 }}
{{- $jobs := ternary $v.memory.jobs 0 (eq $v.mode "jobs-sqlite") }}
{{- add $v.memory.base $v.memory.cache $connections $requests $jobs }}
{{- end }}
{{- end }}

{{- define "jobgate.resources" -}}
{{- $limits := deepCopy .Values.resources.limits }}
{{- $requests := deepCopy .Values.resources.requests }}
{{- $memory := include "jobgate.memoryMiB" . | int }}
{{- if not (hasKey $limits "memory") }}{{ $_ := set $limits "memory" (printf "%dMi" $memory) }}{{ end }}
{{- if not (hasKey $requests "memory") }}{{ $_ := set $requests "memory" (printf "%dMi" (div $memory 2)) }}{{ end }}
{{- toYaml (dict "limits" $limits "requests" $requests) }}
{{- end }}

{{- define "jobgate.env" -}}
{{- if .Values.aws.region }}
- {name: AWS_REGION, value: {{ .Values.aws.region | quote }}}
{{- end }}
{{- if not (hasKey .Values.resources.limits "memory") }}
- {name: GOMEMLIMIT, value: {{ printf "%dMiB" (div (mul 9 (include "jobgate.memoryMiB" . | int)) 10) | quote }}}
{{- else }}
- {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "jobgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
{{- end }}

{{/* jobgate.yaml: the operator's configuration, and the settings that follow from the pod. */}}
{{- define "jobgate.config" -}}
{{- $v := .Values }}
{{- $c := deepCopy $v.config }}
{{- $_ := set $c "admin" ":9090" }}
{{- $_ := set $c "log" (mergeOverwrite (dict "format" "json") (default dict $c.log)) }}
{{- $_ := set $c "drain" (dict "delay" (printf "%ds" (int $v.drain.delay)) "timeout" (printf "%ds" (int $v.drain.timeout))) }}
{{- $cache := dict "max_bytes" (printf "%dMiB" (int $v.memory.cache)) }}
{{- $_ := set $c "cache" (mergeOverwrite (deepCopy (default dict $c.cache)) $cache) }}
{{- if eq $v.mode "sidecar" }}
{{- $_ := set $c "listen" "" }}
{{- $_ := set $c "sidecar" (printf "127.0.0.1:%d" (int $v.sidecar.port)) }}
{{- else }}
{{- $_ := set $c "listen" (printf ":%d" (int $v.devices.port)) }}
{{- $limits := dict "max_connections" (int $v.devices.maxConnections) "max_in_flight" (int $v.memory.inFlight) }}
{{- $_ := set $c "limits" (mergeOverwrite (deepCopy (default dict $c.limits)) $limits) }}
{{- if $v.devices.tls.secret }}
{{- $tls := dict "cert_file" "/etc/jobgate/tls/tls.crt" "key_file" "/etc/jobgate/tls/tls.key" }}
{{- if $v.devices.tls.clientCA.secret }}{{ $_ := set $tls "client_ca_file" "/etc/jobgate/devices-ca/ca.crt" }}{{ end }}
{{- $_ := set $c "tls" $tls }}
{{- end }}
{{- if $v.mqtt.enabled }}
{{- $mqtt := dict "listen" (printf ":%d" (int $v.mqtt.port)) "auth" (mergeOverwrite (deepCopy (default dict (default dict $c.mqtt).auth)) (dict "mode" $v.mqtt.authMode)) }}
{{- $_ := set $c "mqtt" (mergeOverwrite (deepCopy (default dict $c.mqtt)) $mqtt) }}
{{- end }}
{{- end }}
{{- if include "jobgate.jobs" . }}
{{- $_ := set $c "control" (printf ":%d" (int $v.jobs.control.port)) }}
{{- if include "jobgate.controlSecret" . }}
{{- $_ := set $c "control_tls" (dict "cert_file" "/etc/jobgate/control/tls.crt" "key_file" "/etc/jobgate/control/tls.key") }}
{{- end }}
{{- $jobs := dict "enabled" true "region" $v.jobs.region "account" $v.jobs.account "access_keys_file" "/etc/jobgate/keys/keys.yaml" }}
{{- if $v.jobs.dataEndpoint }}{{ $_ := set $jobs "data_endpoint" $v.jobs.dataEndpoint }}{{ end }}
{{- if eq $v.mode "jobs-sqlite" }}
{{- $_ := set $jobs "store" "/var/lib/jobgate/jobgate.db" }}
{{- else }}
{{- $_ := set $jobs "store" $v.jobs.postgres.url }}
{{- $_ := set $jobs "store_password_file" "/etc/jobgate/database/password" }}
{{- $_ := set $jobs "store_connections" (int $v.jobs.postgres.connections) }}
{{- end }}
{{- $_ := set $c "jobs" (mergeOverwrite (deepCopy (default dict $c.jobs)) $jobs) }}
{{- end }}
{{- toYaml $c }}
{{- end }}
