mkdir -p hub/hub
