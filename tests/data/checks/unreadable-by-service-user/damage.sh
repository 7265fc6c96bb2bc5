chmod 600 models/gguf/tiny-Q4_K_M.gguf
