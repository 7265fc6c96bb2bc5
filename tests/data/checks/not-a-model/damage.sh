echo '<!doctype html><title>Sign in</title>' > models/gguf/tiny-Q4_K_M.gguf
