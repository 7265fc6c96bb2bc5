preflight fetch
