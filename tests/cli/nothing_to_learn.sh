# Constants that leave a parameter or the batch without elements are refused by name before a step is made.
. "$TESTS/cli/common"
model=$TESTS/../models/gpt.ptm
status 1 "$PTM" train "$model" --set width=0 --steps 1 --out run
says "the parameter wte.weight would be f32[V, 0] (the constant width)"
status 1 "$PTM" train "$model" --set context=0 --steps 1 --out run
says "(the constant context is 0): there is nothing to learn from"
for value in abc -4; do
    status 1 "$PTM" check "$model" --set width=$value
    if grep "has no parameter or label" out; then fail "what follows from the first error is silent"; fi
done
