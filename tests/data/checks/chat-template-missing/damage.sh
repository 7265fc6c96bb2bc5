rm -f models/vllm/tiny/bf16/chat_template*; echo '{}' > models/vllm/tiny/bf16/tokenizer_config.json
