# Nor do steps of several shards allocate, of several shapes, with values made again.
. "$TESTS/cli/common"
counter=$(dirname "$PTM")/count_alloc.so
[ -e "$counter" ] || exit 0              # a build whose sanitizer has an allocator of its own

mkdir lib
cp "$TESTS/../models/lib/transformer.ptm" lib/
sed 's/^  clip .*/&\n  accumulate 3/' "$TESTS/../models/gpt.ptm" >gpt.ptm
small="--set layers=2 --set width=32 --set heads=2 --set context=16 --set rows=4"
# shellcheck disable=SC2086
status 1 "$PTM" train gpt.ptm $small --memory 1K --threads 3
least=$(sed -n 's/.*(--memory \([0-9]*\)).*/\1/p' out)
export COUNT_ALLOC="$PWD/counts"
# shellcheck disable=SC2086
status 0 env LD_PRELOAD="$counter" "$PTM" train gpt.ptm $small --memory "$least" --steps 40 --save-every 7 --threads 3 --out run
says "run again"
[ "$(wc -l <counts)" = 5 ] || fail "$(wc -l <counts) lines of metrics instead of 5"
[ "$(sort -u counts | wc -l)" = 1 ] || fail "allocations by line of metrics: $(tr '\n' ' ' <counts)"
