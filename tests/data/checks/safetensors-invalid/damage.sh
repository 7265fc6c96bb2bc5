printf '\020\0\0\0\0\0\0\0{ no json at all }' | dd of=models/vllm/tiny/bf16/model-00001-of-00003.safetensors conv=notrunc status=none
