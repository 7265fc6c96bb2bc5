commit=0123456789abcdef0123456789abcdef01234567
repository=hf/hub/models--acme--tiny
mkdir -p $repository/refs $repository/snapshots
printf %s $commit > $repository/refs/main
mv models/vllm/tiny/bf16 $repository/snapshots/$commit
