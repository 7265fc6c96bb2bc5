echo api-key > api_key.txt
echo LLAMA_ARG_THREADS=4 > reader.env
cat > engines.yaml <<'YAML'
services:
  llama:
    image: ghcr.io/ggml-org/llama.cpp:server
    volumes: ["weights:/models:ro"]
    depends_on:
      preflight: {condition: service_completed_successfully}
YAML
