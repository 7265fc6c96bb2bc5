sed -i 's/PreTrainedTokenizerFast/TokenizersBackend/' models/vllm/tiny/bf16/tokenizer_config.json
