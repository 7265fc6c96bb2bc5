preflight fetch --dry-run
