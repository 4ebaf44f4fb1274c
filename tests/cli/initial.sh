# Initial values are drawn beside the compiler where they can be: the same ones for any number of threads, and as by a
# run that draws them in the order of their program.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
const width = 300, ordered = false
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
fn whole(mean = 0; shape) {
  x = normal(mean, 0.02, shape = shape)
  if ordered { return x @ (x.T @ x) }
  return x
}
param w: f32[V, width] = whole()
param u: f32[width, V] = xavier()
param b: f32[V] = 0
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[ids[:, :-1]] @ u + b, ids[:, 1:])) }
train {
  minimize loss(batch)
  using adamw(lr = 0.001)
  steps 2
}
MODEL
for ordered in false true; do
    for threads in 1 2 3 8; do
        status 0 "$PTM" train m.ptm --set ordered=$ordered --threads $threads --blas none --seed 5 --quiet --out run
        cksum <run/last.safetensors >sum$threads
        cmp -s sum1 sum$threads || fail "$threads threads begin with other values (ordered = $ordered)"
        rm -r run
    done
done

# A run that ends for another reason, while they are drawn, says so and nothing else.
status 1 "$PTM" train m.ptm --set width=200000 --memory 20M --threads 3
grep -q "does not fit into" out || fail "$(cat out)"
