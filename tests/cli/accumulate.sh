# accumulate N: a step takes N batches, makes their gradients one by one and adds them in a fixed tree.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
const rows = 12, shards = 1, shuffled = false, drop = 0.0
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text"))[:3000], 0.1)
  batch = windows(fit, length = 9, batch = rows, shuffle = shuffled)
  valid = windows(held, length = 9, batch = rows)
}
fn logits(ids: i32[B, T]) -> f32[B, T, V] {
  return out: linear(dropout(tanh(up: linear(emb: embedding(ids, V, 16), 24)), drop), V)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(logits(ids[:, :-1]), ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using adam(lr = cosine(0.01, warmup = 3))
  clip 0.5
  epochs 2
  if shards > 1 { accumulate shards }
  evaluate loss = mean(nll(valid))
}
MODEL
number() { sed -n "s/.*\"$1\": \([-0-9.e+]*\).*/\1/p" "$2/metrics.jsonl"; }
# near A B: two columns of numbers, equal but for the order of sums.
near() {
    paste "$1" "$2" | awk 'NF != 2 || ($1 - $2)^2 > 1e-10 * $1 * $1 { print "differ:", $0; bad = 1 } END { exit bad || NR == 0 }' || fail "$1 $2"
}

# Four batches of three rows are one batch of twelve, when the loss is a mean over rows.
status 0 "$PTM" train m.ptm --steps 20 --out one
bytes() { sed -n "s/^ *$1  *\([0-9.]* [A-Za-z]*\).*/\1/p" out | head -1 | awk '{ print int($1 * ($2 == "KiB" ? 1024 : 1)) }'; }
rows12=$(bytes step)
status 0 "$PTM" train m.ptm --steps 20 --out four --set rows=3 --set shards=4
says "; 4 batches to a step"
for name in loss lr grad_norm valid_loss; do
    number $name one >a
    number $name four >b
    near a b
done
# The memory is that of three rows, and of three sums: of one batch, of two, of the newest.
rows3=$(bytes step)
awk -v a="$rows12" -v b="$rows3" 'BEGIN { exit !(b > 0 && b < 0.4 * a) }' || fail "$rows3 bytes for 3 rows, $rows12 for 12"
awk -v sums="$(bytes "sums of gradients")" -v one="$(bytes parameters)" 'BEGIN { exit !(sums > 2.9 * one && sums < 3.1 * one) }' ||
    fail "not three sums: $(cat out)"

# The same bits for any number of threads, and across a stop.
draws="--set rows=3 --set shards=5 --set shuffled=true --set drop=0.3 --steps 12"
# shellcheck disable=SC2086
for threads in 1 2 3 8; do status 0 "$PTM" train m.ptm $draws --threads $threads --out "t$threads" --quiet; done
for threads in 2 3 8; do cmp t1/last.safetensors "t$threads/last.safetensors"; done
# shellcheck disable=SC2086
status 0 "$PTM" train m.ptm $draws --save-every 5 --out whole --quiet
# shellcheck disable=SC2086
(ulimit -f 100000; "$PTM" train m.ptm $draws --save-every 5 --out part --quiet & pid=$!
 while [ ! -s part/last.safetensors ]; do :; done; kill -9 $pid; wait $pid) 2>kill || true
status 0 "$PTM" train m.ptm --out part --resume --quiet
cmp t1/last.safetensors part/last.safetensors

# An epoch has as many steps as its batches fill; what is left over is left out.
status 0 "$PTM" train m.ptm --set rows=16 --set shards=1 --out plain --quiet
status 0 "$PTM" train m.ptm --set rows=16 --set shards=4 --out few --quiet
awk -v all="$(number step plain | tail -1)" -v few="$(number step few | tail -1)" \
    'BEGIN { exit !(all % 4 && few == 2 * int(all / 2 / 4)) }' || fail "steps: $(number step plain | tail -1) and $(number step few | tail -1)"
[ "$(number epoch few | tail -1)" = 2 ] || fail "not two epochs: $(tail -1 few/metrics.jsonl)"
status 1 "$PTM" train m.ptm --set rows=100 --set shards=40 --quiet
says "batch is too short for 40 batches of i32[100, 9]"

# States go from one shard to the next, and the loss is the mean of the shards': without a rate, that of those batches.
cat >s.ptm <<'MODEL'
const shards = 1
data {
  const tok = chars(read("text")), V = size(tok)
  batch = streams(tok(read("text"))[:400], batch = 2, length = 6, overlap = 1)
}
module cell(x: f32[B, T, D]) -> f32[B, T, D] {
  state h: f32[B, D] = 0.5
  hs = scan x_t in swap(x) {
    update h = tanh(x_t + 0.5 * h)
    emit h
  }
  return swap(hs)
}
fn loss(ids: i32[B, T+1]) -> f32 {
  return mean(cross_entropy(rnn: cell(emb: embedding(ids[:, :-1], V, V)), ids[:, 1:]))
}
train {
  minimize loss(batch)
  using sgd(lr = 0.0)
  epochs 2
  accumulate shards
}
MODEL
for k in 1 2 3 4; do
    status 0 "$PTM" train s.ptm --steps $k --out "each$k"
    number loss "each$k" | tail -1 >>each
done
for k in 1 2; do
    status 0 "$PTM" train s.ptm --steps $k --set shards=2 --out "pairs$k"
    number loss "pairs$k" | tail -1 >>pairs
done
awk 'NR % 2 { first = $1; next } { printf "%.9g\n", (first + $1) / 2 }' each >means
near means pairs

# Shards of several shapes.
awk 'BEGIN { for (i = 0; i < 120; i++) { n = i % 13 + 1; line = i % 2 ? "odd\t" : "even\t"
    for (k = 0; k < n; k++) line = line (i * 7 + k * k) % 19 + i % 2 * 20 " "; print line } }' >t.tsv
cat >w.ptm <<'MODEL'
data {
  label, body = tsv("train")
  const kinds = labels(label), tok = words(body), C = size(kinds), V = size(tok)
  w, y = batches(pad(tok(body)), kinds(label), size = 8, shuffle = true, widths = 3)
}
param weight: f32[V, C] = normal(0, 0.1)
fn loss(w: i32[N, L], y: i32[N]) -> f32 { return mean(cross_entropy(sum(weight[w], axis = 1), y)) }
train {
  minimize loss(w, y)
  using adam(lr = 0.05)
  epochs 3
  accumulate 3
}
MODEL
status 0 "$PTM" train w.ptm --data train=t.tsv --out w1 --threads 1
says "in 3 shapes of batches; 3 batches to a step"
status 0 "$PTM" train w.ptm --data train=t.tsv --out w3 --threads 3 --quiet
cmp w1/last.safetensors w3/last.safetensors
