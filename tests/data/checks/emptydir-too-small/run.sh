preflight fetch -f pod.yaml
