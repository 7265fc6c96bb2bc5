preflight -f pod.yaml
