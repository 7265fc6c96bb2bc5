model=models/gguf/tiny-Q4_K_M.gguf
count=$(od -An -tu1 -j16 -N1 "$model")
{
    head -c 16 "$model"
    # Two entries more, of 64 bytes together: what lies behind them stays aligned.
    printf "\\$(printf '%03o' $((count + 2)))\\0\\0\\0\\0\\0\\0\\0"
    printf '\022\0\0\0\0\0\0\0llama.pooling_type\004\0\0\0\001\0\0\0'
    printf '\001\0\0\0\0\0\0\0x\010\0\0\0\011\0\0\0\0\0\0\0too short'
    tail -c +25 "$model"
} > new
mv new "$model"
