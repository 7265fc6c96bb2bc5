# The host name of a container is the beginning of its id.
start='echo 5b1d3a7f9c2e > /proc/sys/kernel/hostname && preflight --role init'
unshare --map-root-user --uts sh -c "$start"
