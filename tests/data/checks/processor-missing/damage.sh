config=models/vllm/tiny/bf16/config.json
sed -i 's/"LlamaForCausalLM"/"LlavaForConditionalGeneration"/; s/"model_type": "llama"/"model_type": "llava", "vision_config": {}/' "$config"
