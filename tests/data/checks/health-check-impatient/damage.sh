truncate -s 80G models/gguf/tiny-Q4_K_M.gguf
