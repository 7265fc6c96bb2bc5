truncate -s 1G big && dd if=models/gguf/tiny-Q4_K_M.gguf of=big conv=notrunc status=none && mv big models/gguf/tiny-Q4_K_M.gguf
