# As Docker does: the folder is made for the container, and belongs to root.
start='mkdir modells && preflight --role init --project-directory .'
if [ "$(id -u)" = 0 ]; then sh -c "$start"; else unshare --map-root-user sh -c "$start"; fi
