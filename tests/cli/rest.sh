# The rest of a stream: one element may predict nothing, and a mean over the pass leaves it out.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text"))[:6000], 0.1)
  batch = streams(fit, batch = 4, length = 11)
  valid = streams(held[:22*4 + 4], batch = 4, length = 11)
}
param w: f32[V, V] = 0
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(w[ids[:, :-1]], ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 3
  evaluate loss = mean(loss(valid))
  evaluate each = mean(nll(valid))
}
MODEL
status 0 "$PTM" data m.ptm
says "batch: i32[4, 11], batch 0 of 122 a pass, 4 rows"
says "valid: i32[4, 11]; also [4, 1], 3 batches in an evaluation"
says ']  "'                              # ids that are cut stay those of their tokenizer
status 0 "$PTM" train m.ptm --out run
grep -q 'valid_loss nan' out && fail "the mean over nothing counts"
status 0 "$PTM" eval m.ptm --weights run
[ "$(awk '$1 == "loss" { a = $2 } $1 == "each" { print (a - $2) ^ 2 < 1e-10 }' out)" = 1 ] || fail "$(cat out)"
sed 's/\[:6000\]/[:40]/; /valid/d' m.ptm >short.ptm
for command in check train; do
    status 1 "$PTM" $command short.ptm
    says "short.ptm:10:17: error: batch is too short for one batch of i32[4, 11]: it has 4 streams of 9 elements"
done
