LLAMA_KEY=x preflight
