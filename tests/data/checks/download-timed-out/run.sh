preflight fetch --timeout 1s
