# Metadata of a split model goes before that of the model itself: 96 bytes, which is a multiple of the
# alignment of its tensors.
whole=models/gguf/tiny-Q4_K_M.gguf
entries=$(od -An -tu1 -j16 -N1 "$whole")
{
    head -c 16 "$whole"
    printf "\\$(printf %03o $((entries + 4)))"
    tail -c +18 "$whole" | head -c 7
    printf '\013\0\0\0\0\0\0\0split.count\002\0\0\0\002\0'
    printf '\010\0\0\0\0\0\0\0split.no\002\0\0\0\0\0'
    printf '\023\0\0\0\0\0\0\0split.tensors.count\005\0\0\0\047\0\0\0'
    printf '\001\0\0\0\0\0\0\0x\0\0\0\0\0'
    tail -c +25 "$whole"
} > models/gguf/tiny-00001-of-00002.gguf
