preflight fetch
echo >> models/coder/config.json
