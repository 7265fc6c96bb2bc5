echo "{" > models/vllm/tiny/bf16/config.json
