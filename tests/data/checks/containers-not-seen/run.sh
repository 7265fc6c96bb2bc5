PREFLIGHT_NO_DOCKER=false DOCKER_HOST=unix:///run/none/docker.sock preflight
