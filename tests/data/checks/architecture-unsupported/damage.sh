sed -i 's/LlamaForCausalLM/NoSuchModelForCausalLM/' models/vllm/tiny/bf16/config.json
