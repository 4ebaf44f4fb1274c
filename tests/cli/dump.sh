# Every stage prints something; the tree and the graph of every pass are text.
. "$TESTS/cli/common"
model=$TESTS/../models/bow.ptm

for stage in ast graph grad update simplify fuse schedule plan llvm asm; do
    status 0 "$PTM" dump "$model" --stage $stage
    [ -s out ] || fail "stage $stage printed nothing"
done
status 0 "$PTM" dump "$model" --stage ast
cp out again.ptm
status 0 "$PTM" dump again.ptm --stage ast
cmp out again.ptm
status 0 "$PTM" dump "$model" --stage graph --entry logits
says "graph logits"
status 0 "$PTM" dump "$model" --stage graph --dot
says "digraph"
status 1 "$PTM" dump "$model" --stage graph --entry logit
says "did you mean logits?"
status 2 "$PTM" dump "$model" --stage grad --after fuse
