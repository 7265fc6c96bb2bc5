preflight fetch
chmod 555 cache/hub
