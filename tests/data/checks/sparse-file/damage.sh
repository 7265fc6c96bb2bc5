# The quickstart's model, and a megabyte behind it that was never written.
model=models/gguf/tiny-Q4_K_M.gguf
truncate -s 2M "$model"
