rm -r models/gguf; mkdir -p models; preflight fetch
