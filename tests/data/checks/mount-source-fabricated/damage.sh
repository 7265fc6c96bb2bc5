echo "HERE=$PWD" > .env
