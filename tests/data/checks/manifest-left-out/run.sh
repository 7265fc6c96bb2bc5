mkdir -p kube/templates
cp pod.yaml kube
sed 's/name.gguf/{{ .Values.file }}/' pod.yaml > kube/templates/pod.yaml
preflight -f kube --allow-unknown
