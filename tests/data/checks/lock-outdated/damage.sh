preflight lock
sed -i s/Q4_K_M/Q8_0/ compose.yaml
