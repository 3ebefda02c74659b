{{- /*
Parts of a pod. Each is a list of entries at column 0, for nindent. Their context is this chart's own; a parent chart
passes (index .Subcharts "eve-sidecar").
*/ -}}

{{- /* The rules. Root and NET_ADMIN, here and nowhere else; it ends before anything else begins. */ -}}
{{- define "eve-sidecar.redirectInit" -}}
- name: redirect
  image: {{ include "eve-sidecar.image" (dict "image" .Values.redirect.image "chart" .Chart) }}
  imagePullPolicy: {{ .Values.redirect.image.pullPolicy }}
  env:
    - name: EVE_REDIRECT_UID
      value: {{ .Values.uid | quote }}
    - name: EVE_REDIRECT_PORT
      value: {{ .Values.redirect.port | quote }}
    - name: EVE_REDIRECT_TCP
      value: {{ .Values.redirect.tcp | quote }}
    - name: EVE_REDIRECT_PRIVATE
      value: {{ .Values.redirect.private }}
    - name: EVE_REDIRECT_OTHER
      value: {{ .Values.redirect.other }}
    - name: EVE_REDIRECT_DNS
      value: {{ .Values.redirect.dns | quote }}
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      add: [NET_ADMIN]
  resources:
    {{- toYaml .Values.redirect.resources | nindent 4 }}
{{- end -}}

{{- /* An init container that keeps running: what follows it in the pod starts when its startup probe has succeeded. */ -}}
{{- define "eve-sidecar.container" -}}
- name: eve-sidecar
  restartPolicy: Always
  {{- include "eve-sidecar.containerBody" . | nindent 2 }}
{{- end -}}

{{- define "eve-sidecar.containerBody" -}}
image: {{ include "eve-sidecar.image" (dict "image" .Values.image "chart" .Chart) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  {{- include "eve-sidecar.env" . | nindent 2 }}
ports:
  - name: proxy
    containerPort: {{ .Values.port }}
  {{- if and (ne .Values.mode "gateway") .Values.redirect.enabled }}
  - name: redirected
    containerPort: {{ .Values.redirect.port }}
  {{- end }}
  {{- if .Values.metrics.port }}
  - name: metrics
    containerPort: {{ .Values.metrics.port }}
  {{- end }}
startupProbe:
  httpGet:
    path: /readyz
    port: proxy
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet:
    path: /readyz
    port: proxy
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet:
    path: /healthz
    port: proxy
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
{{- if and (eq .Values.mode "gateway") .Values.gateway.preStopSeconds }}
lifecycle:
  preStop:
    exec:
      command: [sleep, {{ .Values.gateway.preStopSeconds | quote }}]
{{- end }}
securityContext:
  runAsUser: {{ .Values.uid }}
  runAsGroup: {{ .Values.uid }}
  runAsNonRoot: true
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: eve-secrets
    mountPath: /run/secrets/eve
    readOnly: true
  - name: journal
    mountPath: /var/lib/eve-proxy
{{- end -}}

{{- /* Not the journal where that is a claim: volumeClaimTemplates have it. */ -}}
{{- define "eve-sidecar.volumes" -}}
- name: eve-secrets
  projected:
    # Links that lead to a new key when the Secret changes; readable by the proxy's group (fsGroup) only.
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .Values.signing.secret }}
          items:
            - key: {{ .Values.signing.key }}
              path: signing_key
      {{- with .Values.governance }}
      {{- if .token.secret }}
      - secret:
          name: {{ .token.secret }}
          items:
            - key: {{ .token.key }}
              path: governance_token
      {{- end }}
      {{- if .ca.configMap }}
      - configMap:
          name: {{ .ca.configMap }}
          items:
            - key: {{ .ca.key }}
              path: governance_ca.pem
      {{- end }}
      {{- if .clientCertificate.secret }}
      - secret:
          name: {{ .clientCertificate.secret }}
          items:
            - key: tls.crt
              path: governance_cert.pem
            - key: tls.key
              path: governance_key.pem
      {{- end }}
      {{- end }}
      {{- if .Values.policy.configMap }}
      - configMap:
          name: {{ .Values.policy.configMap }}
          items:
            - key: {{ .Values.policy.key }}
              path: policy.yaml
      {{- end }}
{{- if eq .Values.journal.storage "emptyDir" }}
- name: journal
  emptyDir:
    sizeLimit: {{ .Values.journal.size }}
{{- end }}
{{- end -}}

{{- define "eve-sidecar.volumeClaimTemplates" -}}
- metadata:
    name: journal
  spec:
    accessModes: [{{ .Values.journal.accessMode }}]
    {{- with .Values.journal.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .Values.journal.size }}
{{- end -}}

{{- /* Of a pod that has the parts above. fsGroup gives the proxy its volumes; where it has them already, nothing below
is touched: the journal keeps its modes. */ -}}
{{- define "eve-sidecar.podSecurityContext" -}}
fsGroup: {{ .Values.uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* The variables of an application that heeds them. */ -}}
{{- define "eve-sidecar.appEnv" -}}
{{- $url := printf "http://127.0.0.1:%v" .Values.port -}}
{{- range list "HTTPS_PROXY" "HTTP_PROXY" "https_proxy" "http_proxy" }}
- name: {{ . }}
  value: {{ $url }}
{{- end }}
{{- range list "NO_PROXY" "no_proxy" }}
- name: {{ . }}
  value: {{ $.Values.app.noProxy | quote }}
{{- end }}
{{- end -}}
