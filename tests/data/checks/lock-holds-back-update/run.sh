preflight fetch --update
