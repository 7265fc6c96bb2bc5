preflight lock --lane reader
