{{- /* The application of mode sidecar. It mounts neither key nor journal. */ -}}
{{- define "eve-sidecar.app" -}}
- name: app
  image: {{ .Values.app.image }}
  imagePullPolicy: {{ .Values.app.imagePullPolicy }}
  {{- with .Values.app.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.app.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or .Values.app.proxyVariables .Values.app.env }}
  env:
    {{- if .Values.app.proxyVariables }}
    {{- include "eve-sidecar.appEnv" . | nindent 4 }}
    {{- end }}
    {{- with .Values.app.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.app.ports }}
  ports:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.app.readinessProbe }}
  readinessProbe:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.app.livenessProbe }}
  livenessProbe:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.app.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.app.resources | nindent 4 }}
  {{- with .Values.app.volumeMounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
