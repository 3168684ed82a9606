{{/* For a backend's own chart that has this chart as a dependency with mode: sidecar. In its pod's spec:

  initContainers:
    {{- include "jobgate.sidecar.container" .Subcharts.jobgate | nindent 4 }}
  volumes:
    {{- include "jobgate.sidecar.volumes" .Subcharts.jobgate | nindent 4 }}

A native sidecar (an init container that is always restarted) starts before the backend and ends after it. */}}
{{- define "jobgate.sidecar.container" -}}
- name: jobgate
  image: {{ include "jobgate.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args: [serve]
  {{- with include "jobgate.env" . }}
  env: {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.envFrom }}
  envFrom: {{ toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: jobgate-admin, containerPort: 9090}
  startupProbe:
    exec: {command: [/jobgate, health, --ready]}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: {{ .Values.startupSeconds }}
  readinessProbe:
    exec: {command: [/jobgate, health, --ready]}
    timeoutSeconds: 5
  resources: {{- include "jobgate.resources" . | nindent 4 }}
  securityContext: {{- include "jobgate.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - {name: jobgate, mountPath: /etc/jobgate, readOnly: true}
{{- end }}

{{- define "jobgate.sidecar.volumes" -}}
- name: jobgate
  projected:
    defaultMode: 0444
    sources: {{- include "jobgate.sources" . | nindent 6 }}
{{- end }}
