preflight verify --deep --offline
