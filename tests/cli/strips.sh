# Attention by strips of rows: training with any number of threads, within the memory that is proven, and through an
# object gives the same bits; `dump --explain` says what is cut.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

small="--set layers=2 --set width=16 --set heads=4 --set context=256 --set rows=8 --set drop=0.1 --steps 3 --blas none"
# shellcheck disable=SC2086
status 0 "$PTM" dump "$root/models/gpt.ptm" ${small% --steps*} --stage plan
grep "^b[0-9]* .*\[B, 4, T, T\]" out && fail "scores of all rows are in memory"
# shellcheck disable=SC2086
status 0 "$PTM" dump "$root/models/gpt.ptm" ${small% --steps*} --stage fuse --explain
says ": by 4 strips of 64 rows, 62 % of all elements"
for threads in 1 2 3 8; do
    # shellcheck disable=SC2086
    status 0 "$PTM" train "$root/models/gpt.ptm" $small --threads $threads --prove-memory --out t$threads --quiet
    cmp t1/last.safetensors t$threads/last.safetensors || fail "other bits with $threads threads"
done
# shellcheck disable=SC2086
status 0 "$PTM" compile "$root/models/gpt.ptm" ${small% --blas*} --entry train -o model.o
# shellcheck disable=SC2086
build_c train -DLENGTH=257 -DROWS=8 "$root/tests/objects/train.c" model.o $train_libraries
status 0 ./train t1/last.safetensors 3
