preflight --allow unknown-key
