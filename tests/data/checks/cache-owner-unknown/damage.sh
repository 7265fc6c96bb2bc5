mkdir huggingface
