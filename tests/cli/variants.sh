# Padded rows come in a few widths: one program for each, and the numbers are those of the rows, whatever their width.
. "$TESTS/cli/common"
awk 'BEGIN { for (i = 0; i < 300; i++) { n = i % 23 + 1; line = i % 2 ? "odd\t" : "even\t"
    for (k = 0; k < n; k++) line = line (i * 7 + k * k) % 19 + i % 2 * 20 " "; print line } }' >t.tsv
cat >m.ptm <<'MODEL'
const rows = 16, widths = 4
data {
  label, body = tsv("train")
  const kinds = labels(label), tok = words(body), C = size(kinds), V = size(tok)
  w, y = batches(pad(tok(body)), kinds(label), size = rows, shuffle = true, widths = widths)
  tw, ty = batches(pad(tok(body)), kinds(label), size = rows, widths = widths)
}
param weight: f32[V, C] = normal(0, 0.1)
fn nll(w: i32[N, L], y: i32[N]) -> f32[N] { return cross_entropy(sum(weight[w], axis = 1), y) }
fn loss(w: i32[N, L], y: i32[N]) -> f32 { return mean(nll(w, y)) }
fn right(w: i32[N, L], y: i32[N]) -> f32[N] { return f32(argmax(sum(weight[w], axis = 1)) == y) }
train {
  minimize loss(w, y)
  using adam(lr = 0.05)
  epochs 2
  evaluate loss = mean(nll(tw, ty))
  evaluate count = sum(nll(tw, ty) * 0.0 + 1.0)
  evaluate accuracy = mean(right(tw, ty))
}
MODEL
status 0 "$PTM" data m.ptm --data train=t.tsv
says "w: i32[16, 23]; also [16, "
status 0 "$PTM" train m.ptm --data train=t.tsv --out run
says " shapes of batches"
says "step  "
grep -q '"valid_count": 300,' run/metrics.jsonl || fail "not every row is counted once: $(tail -1 run/metrics.jsonl)"
status 0 "$PTM" train m.ptm --data train=t.tsv --out threads --quiet --threads 3
cmp run/last.safetensors threads/last.safetensors

# Evaluated in one width it is the same number, but for the order of the sum.
loss() { sed -n 's/^loss  *//p' out; }
status 0 "$PTM" eval m.ptm --weights run
narrow=$(loss)
status 0 "$PTM" eval m.ptm --weights run --set widths=1
[ "$(loss)" = "$narrow" ] || fail "the widths change the loss: $narrow, $(loss)"
status 0 "$PTM" data m.ptm --data train=t.tsv --set widths=1
says "w: i32[16, 23], batch 0 of"
says "tw: i32[16, 23]; also [12, 23], "

# Rows that were grouped by width belong to the rows of their own call and to no others.
sed 's/^  tw, ty/  z = batches(kinds(label), size = rows)\n&/; s/minimize loss(w, y)/minimize loss(w, z)/' m.ptm >two.ptm
status 1 "$PTM" train two.ptm --data train=t.tsv --steps 1
says "the batches of w and z do not go together: make both streams by one call"
status 0 "$PTM" train two.ptm --data train=t.tsv --steps 1 --set widths=1
sed 's/^  tw, ty.*/&\n  u = batches(kinds(label), size = 100)/; s/nll(tw, ty))$/nll(tw, u))/' m.ptm >three.ptm
status 1 "$PTM" train three.ptm --data train=t.tsv --steps 1 --set widths=1
says "the batches of tw and u do not go together"
