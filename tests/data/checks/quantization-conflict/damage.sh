sed -i '1s/{/{"quantization_config": {"quant_method": "fp8"},/' models/vllm/tiny/bf16/config.json
