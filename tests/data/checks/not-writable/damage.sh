chmod 555 models
