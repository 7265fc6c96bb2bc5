mkdir models/lora
echo '{"peft_type": "LORA", "r": 64, "lora_alpha": 16, "target_modules": ["q_proj"]}' > models/lora/adapter_config.json
{
    printf '\067\000\000\000\000\000\000\000'
    printf '%s' '{"a":{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}'
} > models/lora/adapter_model.safetensors
