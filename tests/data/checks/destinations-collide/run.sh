preflight fetch hf://acme/tiny models/name hf://acme/tiny-GGUF models/name/adapter
