PREFLIGHT_SILENCE=1s preflight fetch
