mkdir models/lora
echo '{"peft_type": "LORA", "base_model_name_or_path": "o/base", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}' > models/lora/adapter_config.json
{
    printf '\172\000\000\000\000\000\000\000'
    printf '%s' '{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"BF16","shape":[1,128],"data_offsets":[0,256]}}'
    printf '%256s' ''
} > models/lora/adapter_model.safetensors
