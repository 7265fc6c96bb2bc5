preflight fetch hf://acme/texts models/texts
