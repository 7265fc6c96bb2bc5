cp -r models other
