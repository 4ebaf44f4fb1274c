# Every stage prints something; the tree and the graph of every pass are text.
. "$TESTS/cli/common"
model=$TESTS/../models/bow.ptm

for stage in ast graph grad update simplify sparse strip fuse schedule plan llvm asm; do
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
status 0 "$PTM" dump "$model" --before fuse --dot
says "digraph"
for place in "--stage ast" "--stage fuse" "--before plan" "--stage llvm"; do
    # shellcheck disable=SC2086
    status 2 "$PTM" dump "$model" $place --dot
    says "--dot draws graphs, and $place shows none"
done

# Reasons, with places of the model: what did not become one kernel, and what is in memory.
status 0 "$PTM" dump "$model" --stage fuse --explain
says "did not take in"
says "a scatter makes it"
says "bow.ptm:"
status 0 "$PTM" dump "$model" --explain
status 2 "$PTM" dump "$model" --stage simplify --explain
says "--explain is about kernels, and --stage simplify shows none"

# A graph's text reads back in, and the passes do with it what they do with the model.
for model in "$TESTS/../models/bow.ptm" "$TESTS/../models/gpt.ptm"; do
    status 0 "$PTM" dump "$model" --stage graph
    cp out loss.graph
    status 0 "$PTM" dump loss.graph --stage graph
    cmp out loss.graph
    status 0 "$PTM" dump "$model" --stage grad
    cp out wanted
    status 0 "$PTM" dump loss.graph --stage grad --training
    cmp out wanted
    status 0 "$PTM" dump "$model" --stage simplify
    cp out step.graph
    status 0 "$PTM" dump "$model" --stage fuse
    cp out wanted
    status 0 "$PTM" dump step.graph --stage fuse
    cmp out wanted
    status 0 "$PTM" dump step.graph --stage llvm
done
status 1 "$PTM" dump loss.graph --stage ast
says "a graph's text, which has no ast"
status 1 "$PTM" dump loss.graph --stage simplify --dim B=5
says "B comes from loss.graph (12)"
printf '# of a hand\n\ngraph f\ndim N\n%%0 = input "x" data : f32[N]\nresult "0" %%0\n' >f.graph
status 1 "$PTM" dump f.graph --stage simplify
says "this needs values: give --dim N=N"
status 0 "$PTM" dump f.graph --stage plan --dim N=7
says "28 bytes"
printf 'graph g\ndim N, M, K\n%%0 = input "x" data : f32[N, M]\nresult "0" %%0\n' >g.graph
status 1 "$PTM" dump g.graph --stage plan --dim K=2
says "this needs values: give --dim N=N --dim M=N"
status 1 "$PTM" dump f.graph --stage grad --training --dim N=7
says "is no loss"
printf 'graph f\n%%0 = input "x" data : f32[3\n' >f.graph
status 1 "$PTM" dump f.graph --stage graph
says "f.graph:2:"

# Loops as deep as they may be: what is printed reads back; one more is refused where it stands.
nested() {
    awk -v n="$1" 'BEGIN {
        print "fn f(x: f32[2]) -> f32 {\n  s = 0.0 * sum(x)"
        for (k = 1; k <= n; k++) print "  scan a" k " in x carrying s {"
        print "  s = s * 0.5 + a1"
        for (k = 1; k <= n; k++) print "  }"
        print "  return s\n}" }' >nested.ptm
}
nested 64
status 0 "$PTM" dump nested.ptm --entry f --stage graph
cp out nested.graph
status 0 "$PTM" dump nested.graph --stage graph
cmp out nested.graph
nested 65
status 1 "$PTM" check nested.ptm
says "nested.ptm:3:3: error: scan: found more than 64 scans within each other"
