rm models/vllm/tiny/bf16/model-00002-of-00003.safetensors
