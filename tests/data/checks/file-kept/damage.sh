preflight fetch
sed -i 's/{/{"rope_scaling": null,/;q' models/coder/generation_config.json
rm models/coder/tokenizer.json
