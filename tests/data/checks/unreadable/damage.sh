chmod 000 models/gguf/tiny-Q4_K_M.gguf
