# What generate asks of a model: logits of the right type and shape, a tokenizer, a context.
. "$TESTS/cli/common"

# model LOGITS: a model whose logits are computed so.
model() {
    cat >m.ptm <<MODEL
const context = ${2-8}
data {
  const tok = chars(read("text")), V = size(tok), W = V + 1
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param w: f32[V, V] = 0
param wide: f32[V, W] = 0
$1
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 2
}
MODEL
}

good='fn logits(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }'
model "$good"
status 0 "$PTM" train m.ptm --out run --quiet
status 0 "$PTM" generate m.ptm --weights run --length 5
refused() {
    model "$1"
    status 1 "$PTM" generate m.ptm --weights run --length 5
    says "$2"
}
refused 'fn logits(ids: i32[B, T]) -> f32[B, T, W] { return wide[ids] }' "logits must be one f32[B, T, V] with V ="
refused 'fn logits(ids: i32[B, T]) -> f32 { return sum(w[ids]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> f32[V] { return sum(sum(w[ids], axis = 0), axis = 0) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> i32[B, T, V] { return i32(w[ids]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> (f32[B, T, V], f32[B, T, V]) { return w[ids], w[ids] }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> f32[B, V, V] { return expand(w, [B, V, V]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T], more: i32[B]) -> f32[B, T, V] { return w[ids] }' "has no \`fn logits(ids: i32[B, T])\`"
model "$good" 2.5
status 1 "$PTM" generate m.ptm --weights run --length 5
says "a whole number of tokens"
model "$good" 1e18
status 1 "$PTM" generate m.ptm --weights run --length 5
says "a whole number of tokens"
