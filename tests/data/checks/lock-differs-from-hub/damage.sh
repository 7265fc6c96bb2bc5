preflight lock
sed -i "s/812224/812225/" preflight.lock
