# The derived gradient beside differences of the loss: models of the gallery agree, and what cannot agree says why.
. "$TESTS/cli/common"
models=$TESTS/../models

status 0 "$PTM" gradcheck "$models/gpt.ptm" --set layers=1 --set width=16 --set heads=2 --set drop=0.1
says "in float64 of i32[2, 6]"
says "h.0.attn.query.weight"
says "11 gradients agree"
status 0 "$PTM" gradcheck "$models/rnn.ptm" --set width=8
says "rnn.1.w_h"
status 0 "$PTM" gradcheck "$models/bilstm.ptm" --set units=4 --set words_wide=3
says "left.w_h"
status 1 "$PTM" gradcheck "$models/elman.ptm"
says "no \`minimize\` line"

# What a stop hides is no part of the gradient, nor of its differences; a state is a constant.
cat >stop.ptm <<'END'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text")), batch = 4, length = 9, overlap = 1)
}
param table: f32[V, V] = normal(0, 1)
param other: f32[V, V] = normal(0, 1)
param fixed: f32[V] = normal(0, 1)
fn loss(ids: i32[B, T+1]) -> f32 {
  at = ids[:, :-1]
  x = table[at] * stop(exp(other[at])) + other[at] + fixed
  return mean(cross_entropy(x, ids[:, 1:]))
}
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  freeze "fixed"
  steps 20
}
END
status 0 "$PTM" gradcheck stop.ptm --seed 3
says "2 gradients agree"

# Differences of what is rounded say nothing.
sed 's/ + other\[at\]/ + f32(f16(other[at]))/' stop.ptm >round.ptm
status 1 "$PTM" gradcheck round.ptm
says "OFF"
says "round.ptm:10:46: note: this rounds to f16"

# One element of 841 is off: no sample finds it, but the direction that all elements move along does.
cat >jump.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text")), batch = 4, length = 9, overlap = 1)
}
param table: f32[V, V] = normal(0, 1)
fn loss(ids: i32[B, T+1]) -> f32 {
  jumps = floor(table[3, 4] * 1e9) * 1e-9
  return mean(cross_entropy(table[ids[:, :-1]], ids[:, 1:])) + jumps
}
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 20
}
MODEL
status 1 "$PTM" gradcheck jump.ptm
says "a direction"
says "jump.ptm:7:11: error: the gradient of floor is off"

# In the body of a scan the iteration is named, and the label path of what is called there.
cat >loop.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text")), batch = 4, length = 9, overlap = 1)
}
param table: f32[V, V] = normal(0, 1)
module step_of(x: f32[V]) -> f32[V] {
  param shift: f32[V] = normal(0, 1)
  return floor((x + shift) * 1e9) * 1e-9
}
fn loss(ids: i32[B, T+1]) -> f32 {
  s = table[0] * 0.5
  scan i in iota(3) carrying s { s = inner: step_of(s) }
  return mean(cross_entropy(table[ids[:, :-1]] + s, ids[:, 1:]))
}
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 20
}
MODEL
status 1 "$PTM" gradcheck loop.ptm
says "the gradient of floor is off"
says ", iteration t = "
says "under the label path inner"

# Nothing to compare: no parameter is trained, or the loss is no number.
sed 's/scan i.*//;s/+ s,/,/;s/  using/  freeze "**"\n  using/' loop.ptm >frozen.ptm
status 1 "$PTM" gradcheck frozen.ptm
says "trains nothing"
sed 's/scan i.*//;s/return mean(/return 1e308 * 1e308 * mean(/' loop.ptm >endless.ptm
status 1 "$PTM" gradcheck endless.ptm
says "the loss of this batch is inf"
