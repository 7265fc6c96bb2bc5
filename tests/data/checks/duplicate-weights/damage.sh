mkdir models/vllm/tiny/bf16/original
truncate -s 2M models/vllm/tiny/bf16/original/consolidated.00.pth
