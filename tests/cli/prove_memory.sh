# Every program of the gallery touches exactly the memory that the certificate says, shards and values made again included.
. "$TESTS/cli/common"
proved() {
    says "proved: training: "
    says "proved: evaluate "
    grep -q "^ptm" out && fail "$(cat out)"
    return 0
}
for model in "$TESTS"/../models/*.ptm; do
    grep -q '^ *minimize' "$model" || continue
    data_of "$model"
    # shellcheck disable=SC2086
    status 0 "$PTM" train "$model" $data --steps 0 --quiet --prove-memory
    proved
done
status 0 "$PTM" train "$TESTS/../models/lstm.ptm" --steps 0 --prove-memory --memory 43M
says "run again"
proved
mkdir lib
cp "$TESTS/../models/lib/transformer.ptm" lib/
sed 's/^  clip .*/&\n  accumulate 3/' "$TESTS/../models/gpt.ptm" >gpt.ptm
status 0 "$PTM" train gpt.ptm --steps 0 --prove-memory --set rows=3 --set layers=1 --set drop=0.1
says "3 batches to a step"
proved
