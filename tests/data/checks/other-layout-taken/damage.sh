cp models/vllm/tiny/bf16/config.json models/vllm/tiny/bf16/params.json
