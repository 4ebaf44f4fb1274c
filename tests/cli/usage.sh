# Exit status: 0, 1 for bad input, 2 for misuse of the command line.
. "$TESTS/cli/common"
model=$TESTS/../models/bow.ptm

status 2 "$PTM"
says "usage: ptm COMMAND"
status 0 "$PTM" help
status 0 "$PTM" --help
status 0 "$PTM" --version
status 2 "$PTM" chekc
says "did you mean check?"
for command in check data dump train eval generate; do
    status 0 "$PTM" "$command" --help
    says "usage: ptm $command"
    status 2 "$PTM" "$command"
    status 2 "$PTM" "$command" "$model" --no-such-flag
    status 2 "$PTM" "$command" "$model" another.ptm
    status 1 "$PTM" "$command" missing.ptm
    says "missing.ptm"
done
status 2 "$PTM" check "$model" --set
status 2 "$PTM" check "$model" --set width
status 2 "$PTM" train "$model" --steps many
status 2 "$PTM" train "$model" --steps -1
status 2 "$PTM" generate "$model" --temperature -1
status 1 "$PTM" eval "$model"
says "--weights"
"$PTM" check "$model" >/dev/full 2>err && fail "a full disk is not success"
grep -q "cannot write the output" err || fail "no word about the full disk"
status 2 "$PTM" train "$model" --threads 65
says "--threads wants a whole number from 0 to 64"
status 2 "$PTM" train "$model" --steps 9000000000000000000
status 2 "$PTM" generate "$model" --length 4611686018427387904
says "--length wants a whole number from 0 to"
status 2 "$PTM" train "$model" --data train=a.tsv --data train=b.tsv
says "--data says train twice: a.tsv and b.tsv"
status 2 "$PTM" check "$model" --set penalty=1 --set penalty=1
status 2 "$PTM" check "$model" --dim N=1 --dim N=2
says "--dim says N twice"
status 2 "$PTM" dump "$model" --stage fuze
says "did you mean fuse?"
status 1 "$PTM" check "$model" --set penalti=1
says "did you mean penalty?"
status 0 "$PTM" check "$model" --set penalty=0.001
status 1 "$PTM" check "$model" --dim V=5
says "--dim V=5: V comes from data ("
status 1 "$PTM" check "$model" --dim N=5.5
says "a dimension is a whole number"
status 1 "$PTM" check "$model" --dim N=99999999999999999999
for topic in ops passes settings sources stages check train; do
    status 0 "$PTM" help "$topic"
done
