{{/* The pod of the Deployment and of the StatefulSet. */}}
{{- define "jobgate.pod" -}}
{{- $v := .Values }}
metadata:
  labels:
    {{- include "jobgate.labels" . | nindent 4 }}
    {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- if or $v.podAnnotations $v.restartOnConfigChange }}
  annotations:
    {{- if $v.restartOnConfigChange }}
    checksum/config: {{ include "jobgate.config" . | sha256sum }}
    {{- end }}
    {{- with $v.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "jobgate.serviceAccount" . }}
  automountServiceAccountToken: false   # it does not use the cluster's API; IAM roles have their own token
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add $v.drain.delay $v.drain.timeout 10 }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: jobgate
      image: {{ include "jobgate.image" . }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve]
      {{- with include "jobgate.env" . }}
      env: {{- . | nindent 8 }}
      {{- end }}
      {{- with $v.envFrom }}
      envFrom: {{ toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: devices, containerPort: {{ $v.devices.port }}}
        - {name: admin, containerPort: 9090}
        {{- if include "jobgate.jobs" . }}
        - {name: control, containerPort: {{ $v.jobs.control.port }}}
        {{- end }}
        {{- if $v.mqtt.enabled }}
        - {name: mqtt, containerPort: {{ $v.mqtt.port }}}
        {{- end }}
      startupProbe:
        httpGet: {path: /healthz, port: admin}
        periodSeconds: 2
        failureThreshold: {{ max 1 (div $v.startupSeconds 2) }}
      livenessProbe:
        httpGet: {path: /healthz, port: admin}
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 5
      resources: {{- include "jobgate.resources" . | nindent 8 }}
      securityContext: {{- include "jobgate.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/jobgate, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if eq $v.mode "jobs-sqlite" }}
        - {name: store, mountPath: /var/lib/jobgate}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: config
      projected:
        defaultMode: 0440
        sources: {{- include "jobgate.sources" . | nindent 10 }}
  {{- if $v.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range $v.topologySpread.keys }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- include "jobgate.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The files under /etc/jobgate. */}}
{{- define "jobgate.sources" -}}
{{- $v := .Values }}
- configMap: {name: {{ include "jobgate.fullname" . }}}
{{- if ne $v.mode "sidecar" }}
{{- with $v.devices.tls.secret }}
- secret:
    name: {{ . }}
    items: [{key: tls.crt, path: tls/tls.crt}, {key: tls.key, path: tls/tls.key}]
{{- end }}
{{- if and $v.devices.tls.secret $v.devices.tls.clientCA.secret }}
- secret:
    name: {{ $v.devices.tls.clientCA.secret }}
    items: [{key: {{ $v.devices.tls.clientCA.key }}, path: devices-ca/ca.crt}]
{{- end }}
{{- end }}
{{- if include "jobgate.jobs" . }}
{{- with include "jobgate.controlSecret" . }}
- secret:
    name: {{ . }}
    items: [{key: tls.crt, path: control/tls.crt}, {key: tls.key, path: control/tls.key}]
{{- end }}
- secret:
    name: {{ $v.jobs.accessKeys.secret }}
    items: [{key: {{ $v.jobs.accessKeys.key }}, path: keys/keys.yaml}]
{{- end }}
{{- if eq $v.mode "jobs-postgres" }}
- secret:
    name: {{ $v.jobs.postgres.password.secret }}
    items: [{key: {{ $v.jobs.postgres.password.key }}, path: database/password}]
{{- if $v.jobs.postgres.ca.secret }}
- secret:
    name: {{ $v.jobs.postgres.ca.secret }}
    items: [{key: {{ $v.jobs.postgres.ca.key }}, path: database/ca.crt}]
{{- end }}
{{- end }}
{{- range $v.files }}
{{- if .secret }}
- secret:
    name: {{ .secret }}
{{- else }}
- configMap:
    name: {{ .configMap }}
{{- end }}
    items: [{key: {{ .key }}, path: files/{{ .path }}}]
{{- end }}
{{- end }}
