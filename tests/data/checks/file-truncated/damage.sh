truncate -s -1 models/gguf/tiny-Q4_K_M.gguf
