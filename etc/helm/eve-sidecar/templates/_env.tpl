{{- /* The variables that the chart sets from its values. */ -}}
{{- define "eve-sidecar.ownEnv" -}}
{{- $files := "/run/secrets/eve" -}}
- name: EVE_PROXY_ORG_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['{{ .Values.tenantLabel }}']
- name: {{ if eq .Values.signing.kind "hmac" }}JWT_SECRET_KEY_FILE{{ else }}EVE_PROXY_SIGNING_KEY_FILE{{ end }}
  value: {{ $files }}/signing_key
- name: EVE_PROXY_GOVERNANCE_URL
  value: {{ .Values.governance.url | quote }}
{{- if ne .Values.governance.url "embedded" }}
- name: EVE_PROXY_GOVERNANCE_AUTH
  value: {{ .Values.governance.auth }}
{{- end }}
{{- if .Values.governance.token.secret }}
- name: EVE_PROXY_GOVERNANCE_TOKEN_FILE
  value: {{ $files }}/governance_token
{{- end }}
{{- if .Values.governance.ca.configMap }}
- name: EVE_PROXY_GOVERNANCE_CA
  value: {{ $files }}/governance_ca.pem
{{- end }}
{{- if .Values.governance.clientCertificate.secret }}
- name: EVE_PROXY_GOVERNANCE_CERT
  value: {{ $files }}/governance_cert.pem
- name: EVE_PROXY_GOVERNANCE_KEY
  value: {{ $files }}/governance_key.pem
{{- end }}
{{- if .Values.policy.configMap }}
- name: EVE_PROXY_POLICY_FILE
  value: {{ $files }}/policy.yaml
{{- end }}
- name: EVE_PROXY_HOST
  value: {{ .Values.host | quote }}
- name: EVE_PROXY_PORT
  value: {{ .Values.port | quote }}
- name: EVE_PROXY_TRANSPARENT_PORT
  value: {{ if and (ne .Values.mode "gateway") .Values.redirect.enabled }}{{ .Values.redirect.port | quote }}{{ else }}"0"{{ end }}
- name: EVE_PROXY_ALLOWED_CLIENTS
  value: {{ if eq .Values.mode "gateway" }}{{ .Values.gateway.allowedClients | quote }}{{ else }}loopback{{ end }}
- name: EVE_PROXY_MAX_CONNECTIONS
  value: {{ .Values.maxConnections | int | quote }}
{{- if .Values.journal.rotateBytes }}
- name: EVE_PROXY_AUDIT_ROTATE_BYTES
  value: {{ .Values.journal.rotateBytes | int64 | quote }}
{{- end }}
{{- if .Values.metrics.port }}
- name: EVE_PROXY_METRICS_PORT
  value: {{ .Values.metrics.port | quote }}
{{- end }}
{{- end -}}

{{- /* All of them, and what env and extraEnv add. */ -}}
{{- define "eve-sidecar.env" -}}
{{- include "eve-sidecar.ownEnv" . }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
