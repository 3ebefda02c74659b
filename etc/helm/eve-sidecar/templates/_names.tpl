{{- define "eve-sidecar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 52 characters: a StatefulSet's pods get a label of that name and eleven more. */ -}}
{{- define "eve-sidecar.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "eve-sidecar.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "eve-sidecar.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "eve-sidecar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "eve-sidecar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "eve-sidecar.labels" -}}
{{ include "eve-sidecar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .Values.mode }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* repository@digest, or repository:tag. Context: {image, chart}. */ -}}
{{- define "eve-sidecar.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{- /* StatefulSet or Deployment: the workload's kind follows from where the journal is kept. */ -}}
{{- define "eve-sidecar.kind" -}}
{{- if eq .Values.journal.storage "claim" -}}StatefulSet{{- else -}}Deployment{{- end -}}
{{- end -}}
