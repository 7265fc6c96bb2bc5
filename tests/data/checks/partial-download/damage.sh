cp models/gguf/tiny-Q4_K_M.gguf models/gguf/tiny-Q4_K_M.gguf.part
