# A target outside the row is an error when the program runs, with its place, the id and the number of classes.
. "$TESTS/cli/common"
cat > short.ptm <<'EOF'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4, shuffle = true)
}
param table: f32[V, 3] = 0
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(table[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 1.0)
  steps 2
}
EOF
status 1 "$PTM" train short.ptm --out run
says "short.ptm:6:48: index 5 is outside its axis of 3"
