preflight -f pod.yaml --allow-unknown
