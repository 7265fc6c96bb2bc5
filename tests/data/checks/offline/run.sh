preflight fetch --offline
