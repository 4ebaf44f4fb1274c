# States of a session: training carries them from batch to batch, an evaluation and a generation begin with their own.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
const width = 16
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text"))[:6000], 0.1)
  batch = streams(fit, batch = 4, length = 11, overlap = 1)
  valid = streams(held, batch = 2, length = 11, overlap = 1)
}
module cell(x: f32[B, T, D]) -> f32[B, T, D] {
  param w: f32[D, D] = normal(0, 0.5)
  state h: f32[B, D] = 0.5
  hs = scan x_t in swap(x) {
    update h = tanh(x_t + h @ w)
    emit h
  }
  return swap(hs)
}
fn body(ids: i32[B, T]) -> f32[B, T, V] {
  return head: linear(rnn: cell(emb: embedding(ids, V, width)), V)
}
fn next(ids: i32[B, T]) -> f32[B, V] { return body(ids)[:, -1] }
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(body(ids[:, :-1]), ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using adam(lr = 0.01)
  epochs 2
  evaluate loss = mean(nll(valid))
}
MODEL
status 0 "$PTM" train m.ptm --out run
says "  state  "
status 0 "$PTM" train m.ptm --out threads --quiet --threads 3
cmp run/last.safetensors threads/last.safetensors
grep -aq '"rnn.h"' run/last.safetensors || fail "the checkpoint lacks the state"
grep -aq '"rnn.h"' run/best.safetensors && fail "weights hold no states"

# An evaluation begins afresh, and so gives the same number whenever it is asked for.
value() { sed -n 's/.*"valid_loss": *\([0-9.]*\).*/\1/p' run/metrics.jsonl | tail -1; }
status 0 "$PTM" eval m.ptm --weights run/last.safetensors
cp out once
[ "$(awk -v a="$(value)" '/^loss/ { print ($2 - a) ^ 2 < 1e-10 }' once)" = 1 ] || fail "$(cat once), trained with $(value)"
status 0 "$PTM" eval m.ptm --weights run/last.safetensors --threads 3
cmp once out

# Stopped in the middle of a pass and resumed: as if nothing had happened.
status 0 "$PTM" train m.ptm --out parts --save-every 7 --quiet
"$PTM" train m.ptm --out killed --save-every 7 --quiet >/dev/null 2>&1 &
process=$!
tries=0
while [ ! -e killed/last.safetensors ] && [ $tries -lt 200 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
kill -9 $process 2>/dev/null || true
wait $process 2>/dev/null || true
status 0 "$PTM" train m.ptm --out killed --resume --quiet
cmp parts/last.safetensors killed/last.safetensors

# The state carries the prompt: read at once or, but for its last token, before, it leads to the same text.
status 0 "$PTM" generate m.ptm --weights run --length 40 --prompt "the" --temperature 0
cp out whole
first=$(head -c 13 whole)
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "$first" --temperature 0
cmp whole out
status 0 "$PTM" generate m.ptm --weights run --length 40 --prompt "x" --temperature 0
cmp -s whole out && fail "the prompt does not matter"
sed 's/-> f32\[B, V\] { return body(ids)/-> f32[B, V] { reset rnn; return body(ids)/' m.ptm >forgets.ptm
status 0 "$PTM" generate forgets.ptm --weights run --length 40 --prompt "the" --temperature 0

# A state whose shape follows the batch's width cannot go from one width to another.
awk 'BEGIN { for (i = 0; i < 200; i++) { n = i % 23 + 1; line = i % 2 ? "odd\t" : "even\t"
    for (k = 0; k < n; k++) line = line (i * 7 + k * k) % 19 " "; print line } }' >t.tsv
cat >wide.ptm <<'MODEL'
data {
  label, body = tsv("train")
  const kinds = labels(label), tok = words(body), C = size(kinds), V = size(tok)
  w, y = batches(pad(tok(body)), kinds(label), size = 16)
}
param weight: f32[V, C] = 0
module seen(w: i32[N, L]) -> i32[N, L] {
  state last: i32[N, L] = 0
  before = last
  update last = w
  return before
}
fn loss(w: i32[N, L], y: i32[N]) -> f32 { return mean(cross_entropy(sum(weight[(past: seen(w))], axis = 1), y)) }
train { minimize loss(w, y); using sgd(lr = 0.1); steps 3 }
MODEL
status 1 "$PTM" train wide.ptm --data train=t.tsv
says "wide.ptm:8:9: error: training: the state past.last is i32[16, 23] for one shape of batches and i32[16, "
says "widths = 1"

# A step that meets a bad index leaves nothing behind, though its loop has changed states in place by then.
cat >fault.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text")), batch = 4, length = 9, overlap = 1)
}
param w: f32[V, V] = normal(0, 1)
module seen(ids: i32[B, T]) -> f32[T] {
  state count: f32[40] = 0
  return scan row in swap(ids) {
    update count[row] += 1
    count_now = count[row + 20 * i32(step)]
    emit sum(count_now) * 0
  }
}
fn loss(ids: i32[B, T+1]) -> f32 {
  extra = s: seen(ids[:, :-1])
  return mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:])) + sum(extra)
}
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 9
}
MODEL
status 1 "$PTM" train fault.ptm --quiet --out faulty --save-every 1
says "fault.ptm:10:17 s: index "
status 0 "$PTM" train fault.ptm --quiet --out sound --steps 1
cmp faulty/last.safetensors sound/last.safetensors
