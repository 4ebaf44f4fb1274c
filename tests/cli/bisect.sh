# Every pass keeps the results of the gallery's models; what a command fails on shrinks to what it looks for.
. "$TESTS/cli/common"
models=$TESTS/../models
small="--set width=8 --set layers=1"

status 0 "$PTM" bisect "$models/gpt.ptm" $small --set heads=2 --threads 2
says "agree after every pass"
status 0 "$PTM" bisect "$models/rnn.ptm" $small --seed 5
says "agree after every pass"
status 1 "$PTM" bisect "$models/gpt.ptm" $small --set heads=2 --entry logits
says "this needs values: give --dim B=N --dim T=N"
status 0 "$PTM" bisect "$models/gpt.ptm" $small --set heads=2 --entry logits --dim B=2 --dim T=3
says "on 1 outputs"

# The graph has it from the beginning: nothing is left around the operator that the command looks for.
status 1 "$PTM" bisect "$models/rnn.ptm" $small --command '! grep -q "= tanh" {}'
says "the command fails on the graph before every pass"
grep -v "^#" out >tanh.graph
[ "$(grep -c " = " tanh.graph)" -le 8 ] || fail "not small: $(cat tanh.graph)"
status 0 "$PTM" dump tanh.graph
says "= tanh %"
status 0 "$PTM" bisect tanh.graph

# Only the gradient of an embedding scatters.
status 1 "$PTM" bisect "$models/gpt.ptm" $small --set heads=2 --command '! grep -q "= scatter" {}'
says "the command fails on the graph after grad, not before"
says "= scatter %"
status 0 "$PTM" bisect "$models/gpt.ptm" $small --set heads=2 --command 'test -s {}'
says "the command succeeds on the graph before and after every pass"
status 2 "$PTM" bisect "$models/gpt.ptm" --command 'false'
says "--command wants {}"
