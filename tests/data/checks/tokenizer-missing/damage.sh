rm models/vllm/tiny/bf16/tokenizer*.json
