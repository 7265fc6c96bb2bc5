preflight lock
