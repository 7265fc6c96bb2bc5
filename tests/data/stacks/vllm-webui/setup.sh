mkdir -p ~/.cache/huggingface
