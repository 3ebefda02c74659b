{{- /* What the schema cannot say: what is missing for a mode, and values that contradict each other. */ -}}
{{- define "eve-sidecar.checks" -}}
{{- $v := .Values -}}
{{- include "eve-sidecar.checkContainer" . -}}
{{- if ne $v.mode "library" -}}
{{- if not $v.tenant -}}
{{- fail "tenant is not set: write whose decisions these are; it stands in every certificate" -}}
{{- end -}}
{{- if hasKey $v.podLabels $v.tenantLabel -}}
{{- fail (printf "podLabels has %s, which is the tenant's label: set tenant instead" $v.tenantLabel) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.mode "gateway" -}}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.clients) -}}
{{- fail "networkPolicy.clients is empty, so that nobody could reach the gateway: list who may, as {namespace, podSelector}, or set networkPolicy.enabled to false" -}}
{{- end -}}
{{- with $v.gateway.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail "gateway.autoscaling.minReplicas is more than gateway.autoscaling.maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- if gt (add $v.gateway.preStopSeconds 25) (int $v.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds is too short for gateway.preStopSeconds and a stop of 20 s: write at least %d" (add $v.gateway.preStopSeconds 25)) -}}
{{- end -}}
{{- end -}}
{{- if eq $v.mode "sidecar" -}}
{{- if not $v.app.image -}}
{{- fail "app.image is not set: write the image of the application that eve-proxy stands beside; for your own chart's pods use mode: library" -}}
{{- end -}}
{{- if eq (int $v.app.securityContext.runAsUser) (int $v.uid) -}}
{{- fail (printf "app.securityContext.runAsUser is %d, the user that the rules exempt (uid): the application would go around the proxy" (int $v.uid)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Of the values that the container is made of; in every mode. */ -}}
{{- define "eve-sidecar.checkContainer" -}}
{{- $v := .Values -}}
{{- if not $v.governance.url -}}
{{- fail "governance.url is not set: write https://... of your decision service, or embedded for the reference decision point" -}}
{{- end -}}
{{- if and $v.policy.configMap (ne $v.governance.url "embedded") -}}
{{- fail "policy.configMap is for governance.url embedded: a decision service has a policy of its own" -}}
{{- end -}}
{{- if and $v.metrics.serviceMonitor.enabled (not $v.metrics.port) -}}
{{- fail "metrics.serviceMonitor.enabled needs metrics.port" -}}
{{- end -}}
{{- $names := keys $v.env -}}
{{- range $v.extraEnv -}}{{- $names = append $names .name -}}{{- end -}}
{{- range include "eve-sidecar.ownEnv" . | fromYamlArray -}}
{{- if has .name $names -}}
{{- fail (printf "env or extraEnv has %s, which the chart sets itself: look for it in values.yaml" .name) -}}
{{- end -}}
{{- end -}}
{{- if ne (len $names) (len (uniq $names)) -}}
{{- fail "a name stands both in env and in extraEnv, or twice in one of them" -}}
{{- end -}}
{{- $ports := list (int $v.port) -}}
{{- if and (ne $v.mode "gateway") $v.redirect.enabled -}}{{- $ports = append $ports (int $v.redirect.port) -}}{{- end -}}
{{- if $v.metrics.port -}}{{- $ports = append $ports (int $v.metrics.port) -}}{{- end -}}
{{- if ne (len $ports) (len (uniq $ports)) -}}
{{- fail "port, redirect.port and metrics.port have to differ" -}}
{{- end -}}
{{- end -}}
