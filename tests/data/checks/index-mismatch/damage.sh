sed -i 's/model-00002-of-00003/model-00001-of-00003/' models/vllm/tiny/bf16/model.safetensors.index.json
