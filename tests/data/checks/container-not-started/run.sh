preflight inspect
