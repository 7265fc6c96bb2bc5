rm models/vllm/tiny/bf16/*.safetensors models/vllm/tiny/bf16/*.index.json; printf "\200\002}q." > models/vllm/tiny/bf16/pytorch_model.bin
