PREFLIGHT_LOCK_PATIENCE=1 flock models/.cache/huggingface/download/reader.gguf.lock preflight fetch
