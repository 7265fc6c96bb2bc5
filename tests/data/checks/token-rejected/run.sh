HF_TOKEN=hf_expired preflight fetch
