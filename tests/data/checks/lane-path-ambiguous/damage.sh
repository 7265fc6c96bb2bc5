mkdir weights
echo MODELS_PATH=/models > .env
