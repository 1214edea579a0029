{{- define "skein.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skein.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "skein.labels" -}}
{{ include "skein.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "skein.account" -}}
{{- default (include "skein.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "skein.agentsNamespace" -}}
{{- $namespace := default (printf "%s-agents" .Release.Namespace) .Values.agents.namespace -}}
{{- if eq $namespace .Release.Namespace -}}
{{- fail (printf "agents.namespace must not be %s, where the node itself is: a Job there could mount the node's data and keys. Leave it out, or name another namespace." $namespace) -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{- define "skein.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* What is laid out for agents is what the node is told; an address of the Service that stays outlasts the pod's own. */ -}}
{{- define "skein.config" -}}
{{- $own := dict -}}
{{- if .Values.agents.enabled -}}
{{- $address := .Values.service.clusterIP | default "auto" -}}
{{- $home := dict "address" (eq $address "None" | ternary "auto" $address) "port" (int .Values.agents.homePort) -}}
{{- $own = dict "executors" (dict "kubernetes" (dict "enabled" true "namespace" (include "skein.agentsNamespace" .) "home" $home)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end -}}
