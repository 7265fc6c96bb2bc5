mkdir webui
echo 'MODEL_FILE=tiny-Q4_K_M.gguf' > .env
