dd if=/dev/zero of=models/gguf/tiny-Q4_K_M.gguf bs=1k seek=300 count=490 conv=notrunc status=none
