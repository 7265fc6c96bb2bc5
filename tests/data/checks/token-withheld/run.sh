rm -r models; mkdir models; echo "HF_ENDPOINT=$HF_ENDPOINT" > .env
sed -i "s|HERE|$PWD|" compose.yaml
HF_TOKEN=hf_of_the_shell PREFLIGHT_ROLE=init PREFLIGHT_PROJECT_DIRECTORY=. preflight fetch
