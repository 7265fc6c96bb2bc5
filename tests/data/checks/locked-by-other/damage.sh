mkdir -p models/.cache/huggingface/download
