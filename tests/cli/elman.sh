# models/elman.ptm is nn.RNN(10, 20, 2): the inputs of its graph name every parameter with its shape, 1,480 numbers together.
. "$TESTS/cli/common"
model=$TESTS/../models/elman.ptm

status 0 "$PTM" check "$model"
status 0 "$PTM" dump "$model" --entry outputs --stage graph
awk '/^%[0-9]+ = input "[^"]+" param : f32\[/ {
    sub(/.* param : f32\[/, ""); sub(/\].*/, "")
    n = 1
    for (i = split($0, axis, ", "); i > 0; i--) n *= axis[i]
    tensors++; sum += n
} END { print tensors, sum }' out >counted
[ "$(cat counted)" = "8 1480" ] || fail "tensors and numbers are $(cat counted), not 8 1480"
