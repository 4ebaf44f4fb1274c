# Constant arrays of data: computed by compiled code, saved with the weights, taken from there by eval and generate.
. "$TESTS/cli/common"

# table FILE NAME TYPE: the elements of a tensor in a checkpoint, as od prints them.
table() {
    size=$(head -c 8 "$1" | od -An -t d8 | tr -d ' ')
    head -c $((size + 8)) "$1" | tail -c "$size" | tr '{' '\n' |
        sed -n "/\"data_offsets\"/!b;s/.*data_offsets\":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/p" >offsets
    head -c $((size + 8)) "$1" | tail -c "$size" | tr '{' '\n' | sed -n 's/.*"\([^"]*\)":$/\1/p' | sed 1d >names
    line=$(paste -d ' ' names offsets | grep "^$2 ") || fail "$1 has no tensor $2"
    # shellcheck disable=SC2086
    set -- "$1" "$3" $line
    tail -c +$((size + 9 + $4)) "$1" | head -c $(($5 - $4)) | od -An -t "$2" | xargs
}

# A unigram model: nothing is learned, so its loss is the entropy of the counts.
printf 'abacabad\nabacabad\nabacabad\n' >text
cat >unigram.ptm <<'END'
const context = 4
data {
  const tok = chars(read("text")), V = size(tok)
  ids = tok(read("text"))
  const n = counts(ids, V), size_of_text = sum(n)
  share_of = f32(n) / size(ids)
  const logp = log(share_of), entropy = -sum(share_of * logp)
  batch = windows(ids, length = context + 1, batch = 2)
}
param scale: f32 = 1
fn logits(ids: i32[B, T]) -> f32[B, T, V] { return expand(logp * scale, [B, T, V]) + 0 * f32(ids)[:, :, _] }
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(logits(ids[:, :-1]), ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) * size_of_text / size_of_text }
train { minimize loss(batch); using sgd(lr = 0.1); steps 4; evaluate loss = mean(nll(batch)) }
END
status 0 "$PTM" check unigram.ptm
status 0 "$PTM" data unigram.ptm --data text=text
says 'n          i64[V]: 3 12 6 3 3'
says 'size_of_text 27'
says 'entropy    1.42706'
status 0 "$PTM" train unigram.ptm --data text=text --out run --quiet
[ "$(table run/last.safetensors const.n d8)" = "3 12 6 3 3" ] || fail "$(table run/last.safetensors const.n d8)"
[ "$(table run/best.safetensors const.n d8)" = "3 12 6 3 3" ] || fail "best.safetensors"
table run/last.safetensors const.logp f4 >logp
echo "-2.1972246 -0.8109302 -1.5040774 -2.1972246 -2.1972246" | tr ' ' '\n' >wanted
tr ' ' '\n' <logp | paste -d ' ' - wanted | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-6) exit 1; n++ } END { if (n != 5) exit 1 }' ||
    fail "const.logp: $(cat logp)"

# The corpus may be gone; another one is not looked at either.
mv text elsewhere
status 0 "$PTM" generate unigram.ptm --weights run --length 20 --seed 3
cp out once
status 0 "$PTM" generate unigram.ptm --weights run/last.safetensors --length 20 --seed 3 --threads 1
cmp once out
printf 'zzzzzzzzzzzzzzzzz\n' >other
status 0 "$PTM" generate unigram.ptm --weights run --data text=other --length 20 --seed 3
cmp once out

# The vocabulary is part of what was trained: none is made from the data in its place, and no other one is taken.
mv elsewhere text
cp run/tok.tokenizer kept
rm run/tok.tokenizer
status 1 "$PTM" generate unigram.ptm --weights run --length 20 --seed 3
says "run/tok.tokenizer is missing; the weights belong to the tok saved with them"
head -c 10 kept >run/tok.tokenizer
status 1 "$PTM" generate unigram.ptm --weights run --length 20 --seed 3
says "run/tok.tokenizer: not a saved tokenizer"
status 0 "$PTM" train unigram.ptm --data text=other --out another --quiet
cp another/tok.tokenizer run/
status 1 "$PTM" generate unigram.ptm --weights run --length 20 --seed 3
says "run/tok.tokenizer is not the one that was saved"
status 0 "$PTM" train unigram.ptm --out run --resume --quiet
says "warning: run/tok.tokenizer is damaged: it is written again"
cmp kept run/tok.tokenizer
status 0 "$PTM" generate unigram.ptm --weights run --length 20 --seed 3
cmp once out

# Resuming: from the same data only.
cp -r run again
status 0 "$PTM" train unigram.ptm --data text=text --out run --resume --steps 8 --quiet
status 0 "$PTM" train unigram.ptm --data text=text --out whole --steps 8 --quiet
cmp run/last.safetensors whole/last.safetensors
sed 's/abacabad/abacabaa/' text >changed
status 1 "$PTM" train unigram.ptm --data text=changed --out again --resume --steps 8 --quiet
says "the data differs"

# Words weighted by how few documents have them (idf), lists of tables, draws and loops of data; the same bits for any threads.
cat >idf.ptm <<'END'
data {
  label, body = tsv("train"); tl, tb = tsv("test")
  const kinds = labels(label), tok = words(body), C = size(kinds), V = size(tok)
  rows = pad(tok(body))
  const N = size(rows, 0), idf = inverse(rows), parts = halves(idf), noise = uniform(-0.01, 0.01, shape = [V, C])
  dense = []
  for k in 0..2 { dense = [..dense, bags(rows[k*100 : (k+1)*100])] }
  w, y = batches(rows, kinds(label), size = 32, shuffle = true)
  x, xy = batches(concat(dense), kinds(label)[:200], size = 40)
  tw, ty = batches(pad(tok(tb)), kinds(tl), size = 50)
}
fn bags(w: i32[B, L]) -> f32[B, V] {
  out = full([B, V], 0.0)
  out[iota(B)[:, _], w] += 1
  return out
}
fn inverse(w: i32[B, L]) -> f32[V] { return log(B / (sum(min(bags(w), 1), axis = 0) + 1)) }
fn halves(x) { return [[x[:3]], x[3:]] }
param weight: f32[V, C] = noise
fn table() -> f32[V] { return concat([parts[0][0], parts[1]]) }
fn logits(w: i32[B, L]) -> f32[B, C] { return sum((weight * table()[:, _])[w], axis = 1) }
fn loss(w: i32[B, L], y: i32[B]) -> f32 { return mean(cross_entropy(logits(w), y)) }
fn right(w: i32[B, L], y: i32[B]) -> f32[B] { return f32(argmax(logits(w)) == y) }
fn dense_right(x: f32[B, V], y: i32[B]) -> f32[B] { return f32(argmax((x * idf) @ weight) == y) }
train {
  minimize loss(w, y)
  using adam(lr = 0.02)
  epochs 1
  evaluate accuracy = mean(right(tw, ty))
  evaluate dense = mean(dense_right(x, xy))
}
END
status 0 "$PTM" check idf.ptm
status 0 "$PTM" train idf.ptm --out idf --quiet --threads 1
status 0 "$PTM" train idf.ptm --out idf2 --quiet --threads 3
cmp idf/last.safetensors idf2/last.safetensors
status 0 "$PTM" eval idf.ptm --weights idf
awk '/accuracy|dense/ { if ($2 < 0.7) exit 1; n++ } END { if (n != 2) exit 1 }' out || fail "$(cat out)"
table idf/last.safetensors const.idf f4 >whole_table
{ table idf/last.safetensors const.parts.0.0 f4; table idf/last.safetensors const.parts.1 f4; } | xargs >joined
cmp whole_table joined

# A checkpoint whose bytes have changed is refused.
sed 's/const.idf/const.fdi/' idf/last.safetensors >broken.safetensors
status 1 "$PTM" eval idf.ptm --weights broken.safetensors
