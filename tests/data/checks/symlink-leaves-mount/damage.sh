mkdir outside; mv models/gguf/tiny-Q4_K_M.gguf outside/; ln -s "$PWD/outside/tiny-Q4_K_M.gguf" models/gguf/tiny-Q4_K_M.gguf
