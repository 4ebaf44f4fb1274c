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

# A product whose parts are added up needs no memory behind the plan: the step is within its bound.
cat >parts.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 65, batch = 64)
}
param table: f32[V, 16] = normal(0, 1)
param w: f32[16, 16] = 0
fn loss(ids: i32[B, T+1]) -> f32 { return mean(square(table[ids[:, :-1]] @ w - table[ids[:, 1:]])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 1
}
MODEL
status 0 "$PTM" train parts.ptm
[ "$(($(bytes step) - $(bytes "lower bound")))" -lt 4096 ] || fail "something lies behind the plan: $(cat out)"

# What is alive at the peak is not more than the step: a value written in the bytes of another one counts once.
cat >classes.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 65, batch = 16)
}
param table: f32[V, 8] = normal(0, 1)
param out: f32[8, 1000] = normal(0, 1)
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(table[ids[:, :-1]] @ out, ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 1
}
MODEL
status 0 "$PTM" train classes.ptm
alive=0
for part in batch "saved activations" gradients scratch; do alive=$((alive + $(bytes "$part"))); done
[ "$alive" -gt 0 ] && [ "$((alive - alive / 50))" -le "$(bytes step)" ] || fail "$alive bytes are alive at the peak: $(cat out)"
