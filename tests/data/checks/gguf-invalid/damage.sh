printf 'GGUF\011' | dd of=models/gguf/tiny-Q4_K_M.gguf conv=notrunc status=none
