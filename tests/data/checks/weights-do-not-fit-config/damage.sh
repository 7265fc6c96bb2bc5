sed -i 's/"hidden_size": 64/"hidden_size": 128/; s/"num_hidden_layers": 2/"num_hidden_layers": 4/' models/vllm/tiny/bf16/config.json
