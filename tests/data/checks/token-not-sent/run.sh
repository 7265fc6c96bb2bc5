HF_TOKEN=hf_valid preflight fetch
