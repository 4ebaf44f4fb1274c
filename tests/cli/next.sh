# Generating with `next`: the prompt, then one token at a time; the states know what was read.
. "$TESTS/cli/common"

# What next says of a token follows from that token alone: without states the prompt's last one decides.
cat >m.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param w: f32[V, V] = normal(0, 1)
fn next(ids: i32[B, T]) -> f32[B, V] { return w[ids[:, -1]] }
fn wide(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 2
}
MODEL
status 0 "$PTM" train m.ptm --out run --quiet
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt e --seed 3
tail -c +2 out >one
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "the e" --seed 3
tail -c +6 out >two
cmp one two
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "" --temperature 0
cp out one
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "" --temperature 0 --threads 1
cmp one out
refused() {
    sed "s/^fn next.*/$1/" m.ptm >other.ptm
    status 1 "$PTM" generate other.ptm --weights run --length 5
    says "$2"
}
refused 'fn next(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }' "next must be one f32[B, V] with V ="
refused 'fn next(ids: i32[B, T]) -> i32[B, V] { return i32(w[ids[:, -1]]) }' "next must be one f32[B, V]"
refused 'fn after(ids: i32[B, T]) -> f32[B, V] { return w[ids[:, -1]] }' "no \`fn next(ids: i32[B, T])\`"
