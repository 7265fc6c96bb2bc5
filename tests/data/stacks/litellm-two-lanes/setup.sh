cp -r models/vllm/tiny/bf16 models/vllm/coder
printf 'model_list:\n  - model_name: chat\n    litellm_params:\n      model: openai/chat\n      api_base: http://chat:8000/v1\n      api_key: none\n' > litellm.yaml
