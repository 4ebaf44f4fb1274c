# The memory certificate covers every program of a training run: here the evaluation needs more than the step.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
const held_batch = 400
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text")), 0.1)
  batch = windows(fit, length = 9, batch = 4)
  valid = windows(held, length = 9, batch = held_batch)
}
param w: f32[V, V] = 0
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(w[ids[:, :-1]], ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 2
  evaluate loss = mean(nll(valid))
}
MODEL
bytes() { sed -n "s/^ *$1  *\([0-9.]* [A-Za-z]*\).*/\1/p" out | head -1 | awk '{ print int($1 * ($2 == "KiB" ? 1024 : $2 == "MiB" ? 1048576 : 1)) }'; }

status 0 "$PTM" train m.ptm --steps 2
[ "$(bytes "work arena")" = "$(bytes evaluations)" ] || fail "the arena is not the evaluation's: $(cat out)"
[ "$(bytes evaluations)" -gt "$(bytes step)" ] || fail "the evaluation needs no more than the step: $(cat out)"
large=$(bytes total)
status 0 "$PTM" train m.ptm --steps 2 --set held_batch=4
[ "$(bytes "work arena")" = "$(bytes step)" ] || fail "the arena is not the step's: $(cat out)"
[ "$(bytes total)" -lt "$large" ] || fail "the total leaves evaluations out: $(cat out)"
