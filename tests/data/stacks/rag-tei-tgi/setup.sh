mkdir -p data backend
cp -r models/vllm/tiny/bf16 data/llm
printf 'FROM scratch\n' > backend/Dockerfile
