# The training step allocates nothing: between a line of metrics and the next, evaluations and checkpoints included.
. "$TESTS/cli/common"
counter=$(dirname "$PTM")/count_alloc.so
[ -e "$counter" ] || exit 0              # a build whose sanitizer has an allocator of its own

mkdir lib
cp "$TESTS/../models/lib/transformer.ptm" lib/
sed 's/^  evaluate loss.*/&\n  evaluate perplexity = exp(mean(nll(valid))), every = 20/' "$TESTS/../models/gpt.ptm" >gpt.ptm
small="--set layers=2 --set width=32 --set heads=2 --set context=16"
export COUNT_ALLOC="$PWD/counts"
# shellcheck disable=SC2086
status 0 env LD_PRELOAD="$counter" "$PTM" train gpt.ptm $small --steps 60 --save-every 7 --threads 3 --out run
# Lines come at step 1, every 10 steps, and the last, which follows an evaluation of its own.
[ "$(wc -l <counts)" = 7 ] || fail "$(wc -l <counts) lines of metrics instead of 7"
grep -q valid_perplexity run/metrics.jsonl || fail "no evaluation"
[ "$(head -1 counts)" -gt 1000 ] || fail "nothing was counted before the first step"
[ "$(sort -u counts | wc -l)" = 1 ] || fail "allocations by line of metrics: $(tr '\n' ' ' <counts)"

# Nor with states and scans, of which rest batches have other shapes.
cp "$TESTS"/../models/lib/*.ptm lib/
rm counts
# shellcheck disable=SC2086
status 0 env LD_PRELOAD="$counter" "$PTM" train "$TESTS/../models/lstm.ptm" --set width=16 --set span=10 --set rows=4 \
    --set held_rows=2 --set unit=chars --steps 60 --save-every 7 --threads 3 --out lstm
[ "$(wc -l <counts)" = 7 ] || fail "$(wc -l <counts) lines of metrics of lstm instead of 7"
[ "$(sort -u counts | wc -l)" = 1 ] || fail "allocations by line of metrics of lstm: $(tr '\n' ' ' <counts)"
