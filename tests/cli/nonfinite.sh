# --trace-nonfinite names the operator that made the first value that is not finite; usual infinities are none.
. "$TESTS/cli/common"

cat >loop.ptm <<'END'
const rate = 2
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text")), batch = 4, length = 9, overlap = 1)
}
module cell(x: f32[B, T, D]) -> f32[B, T, D] {
  param u: f32[D, D] = normal(0, 0.3)
  h = full([B, D], 0.0)
  hs = scan x_t in swap(x) carrying h {
    h = h * 0.9 + x_t @ u
    g = log(3 - h)
    emit g
  }
  return swap(hs)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] {
  x = one: cell(emb: embedding(ids[:, :-1], V, 8))
  return cross_entropy(x @ emb.weight.T, ids[:, 1:])
}
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using sgd(lr = rate)
  steps 200
  evaluate loss = mean(nll(batch))
  evaluate odd = mean(log(nll(batch) - 9))
}
END
status 1 "$PTM" train loop.ptm --quiet
says "the loss is not a number at step 12"
grep -q "first value" out && fail "traced without being asked"
status 1 "$PTM" train loop.ptm --quiet --trace-nonfinite
says "training again from step 0"
says "loop.ptm:11:9: error: log makes NaN of -0."
says "of f32[B, 8]: the first value that is not finite, in step 12, iteration t = 3"
says "under the label path one"
grep -v "again" out >whole

# From a checkpoint, and with other threads, it is the same.
status 1 "$PTM" train loop.ptm --quiet --trace-nonfinite --out run --save-every 5 --threads 3
says "training again from run/last.safetensors"
grep -v "again" out | sed 's/the last checkpoint is of step 10/no checkpoint has been written/' >saved
cmp whole saved

# In a step of several batches it is in the program of one of them.
sed 's/  steps 200/  accumulate 2\n  steps 200/' loop.ptm >sums.ptm
status 1 "$PTM" train sums.ptm --quiet --trace-nonfinite
says "sums.ptm:11:9: error: log makes NaN of -"
says "the first value that is not finite, in step"

# A good run says nothing; one that is evaluated says where.
status 0 "$PTM" train loop.ptm --set rate=0.01 --steps 10 --quiet --trace-nonfinite --out good
status 0 "$PTM" eval loop.ptm --set rate=0.01 --weights good
says "nan"
status 1 "$PTM" eval loop.ptm --set rate=0.01 --weights good --trace-nonfinite
says "log makes NaN of -"
says "in evaluate odd"

# The mask of attention is infinite in every step, and no culprit even in the first one.
gpt=$TESTS/../models/gpt.ptm
sed -e 's/adamw(.*)/sgd(lr = 1e30)/' -e '/clip  /d' -e '/group  /d' -e "s|lib/|$TESTS/../models/lib/|" "$gpt" >gpt.ptm
status 1 "$PTM" train gpt.ptm --set width=16 --set layers=1 --set heads=2 --quiet --trace-nonfinite
says "mul makes inf of"
says "under the label path h.0.ln_1"
