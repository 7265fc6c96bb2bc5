PORT="${ENGINE##*:}" preflight smoke
