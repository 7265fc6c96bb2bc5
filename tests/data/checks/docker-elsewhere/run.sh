PREFLIGHT_NO_DOCKER=false DOCKER_HOST=ssh://me@gpu-box preflight
