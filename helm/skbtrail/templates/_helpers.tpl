{{- define "skbtrail.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "skbtrail.fullname" -}}
{{- $name := include "skbtrail.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "skbtrail.selectorLabels" -}}
app.kubernetes.io/name: {{ include "skbtrail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "skbtrail.labels" -}}
{{ include "skbtrail.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "skbtrail.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "skbtrail.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "skbtrail.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* Socket and mounted folder of each runtime, as JSON. The folder, since a runtime that is started again makes a new
socket: a mounted socket would stay the old one. The host's /run cannot be the container's: the service account's token is
mounted below that. */ -}}
{{- define "skbtrail.runtimes" -}}
{
  "containerd": {"socket": "/run/containerd/containerd.sock", "folder": "/run/containerd"},
  "crio": {"socket": "/run/crio/crio.sock", "folder": "/run/crio"},
  "k3s": {"socket": "/run/k3s/containerd/containerd.sock", "folder": "/run/k3s/containerd"},
  "k0s": {"socket": "/run/k0s/containerd.sock", "folder": "/run/k0s"},
  "microk8s": {"socket": "/var/snap/microk8s/common/run/containerd.sock", "folder": "/var/snap/microk8s/common/run"},
  "cri-dockerd": {"socket": "/host/run/cri-dockerd.sock", "folder": "/run", "mount": "/host/run"}
}
{{- end -}}

{{- define "skbtrail.runtime" -}}
{{- include "skbtrail.runtimes" . | fromJson | dig .Values.containerRuntime dict | toJson -}}
{{- end -}}

{{- define "skbtrail.tlsSecret" -}}
{{- if eq .Values.rest.tls.source "existingSecret" -}}
{{- required "rest.tls.existingSecret: name the Secret" .Values.rest.tls.existingSecret -}}
{{- else -}}
{{- include "skbtrail.fullname" . }}-rest-tls
{{- end -}}
{{- end -}}

{{- /* Names by which REST is reached: by its Service, and through `kubectl port-forward`. */ -}}
{{- define "skbtrail.restNames" -}}
{{- $service := printf "%s-rest" (include "skbtrail.fullname" .) -}}
{{- $space := .Release.Namespace -}}
{{- concat (list (printf "%s.%s.svc" $service $space) (printf "%s.%s" $service $space) $service "localhost")
    .Values.rest.tls.extraNames | toJson -}}
{{- end -}}

{{- /* The agent's configuration: what the chart decides, over what `config` says. */ -}}
{{- define "skbtrail.config" -}}
{{- $own := dict
    "metrics" (dict "listen" (printf "%s:%d" .Values.listenAddress (int .Values.metrics.port)))
    "kubernetes" (dict "enabled" "true" "namespace" .Release.Namespace "podEvents" .Values.podEvents)
    "cri" (dict "socket" (include "skbtrail.runtime" . | fromJson).socket) -}}
{{- if .Values.rest.enabled -}}
{{- $_ := set $own "rest" (dict
    "listen" (printf "%s:%d" .Values.listenAddress (int .Values.rest.port))
    "auth" "kubernetes"
    "tls" (dict "certFile" "/etc/skbtrail/tls/tls.crt" "keyFile" "/etc/skbtrail/tls/tls.key")) -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) -}}
{{- end -}}
