preflight --role init --project-directory . --project-name demo
