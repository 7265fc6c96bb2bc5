echo "no json" > models/vllm/tiny/bf16/tokenizer.json
