model=models/gguf/tiny-Q4_K_M.gguf
key=llama.context_length
at=$(grep -abo "$key" "$model" | cut -d: -f1)
# Behind the key is the type of its value, then the value: 2147483648.
printf '\000\000\000\200' | dd of="$model" bs=1 seek=$((at + ${#key} + 4)) conv=notrunc status=none
