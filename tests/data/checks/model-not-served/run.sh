preflight smoke
