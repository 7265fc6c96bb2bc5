# A disk of its own: with room for bytes and none for more than a few files.
unshare --map-root-user --mount sh -c 'mount -t tmpfs -o nr_inodes=4 tmpfs models && preflight fetch'
