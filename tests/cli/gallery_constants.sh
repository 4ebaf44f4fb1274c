# A constant that a model has no meaning for is refused by name, with the values that it takes.
. "$TESTS/cli/common"
models=$TESTS/../models
for model in lstm gru rnn; do
    status 1 "$PTM" check "$models/$model.ptm" --set unit=Words
    says 'unit is "words" or "chars"; found the string "Words"'
    status 1 "$PTM" check "$models/$model.ptm" --set layers=-1
    says "layers must be at least 1; found the number -1"
done
status 1 "$PTM" check "$models/charrnn.ptm" --set cell=foo
says 'cell is "lstm", "gru" or "rnn"; found the string "foo"'
status 1 "$PTM" check "$models/charrnn.ptm" --set layers=0
says "layers must be at least 1; found the number 0"

# The command in the head of elman.ptm.
status 0 "$PTM" dump "$models/elman.ptm" --entry outputs --dim B=2 --dim T=3
says "layer.1.h"
