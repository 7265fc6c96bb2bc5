preflight fetch --deep
