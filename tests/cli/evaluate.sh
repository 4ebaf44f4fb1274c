# Evaluations: numbers around what is reduced are compiled code, and f64.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text")), 0.1)
  batch = windows(fit, length = 9, batch = 4)
  valid = windows(held, length = 9, batch = 12)
}
param w: f32[V, V] = 0
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(w[ids[:, :-1]], ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 20
  evaluate loss = mean(nll(valid)), every = 10
  evaluate perplexity = exp(mean(nll(valid)))
  evaluate bits = mean(nll(valid)) / log(2)
  evaluate odd = sqrt(sum(nll(valid))) - 3 * mean(loss(valid))
}
MODEL
status 0 "$PTM" train m.ptm --out run --quiet
tail -1 run/metrics.jsonl | tr -d '{}" ' | tr ',:' '\n ' >values
awk '{ value[$1] = $2 }
    function near(x, y, what) { if ((x - y) ^ 2 > (1e-9 * y) ^ 2) { print what, x, y; bad = 1 } }
    END {
        if (!("valid_perplexity" in value)) { print "no perplexity"; exit 1 }
        near(value["valid_perplexity"], exp(value["valid_loss"]), "perplexity")
        near(value["valid_bits"], value["valid_loss"] / log(2), "bits")
        exit bad
    }' values || fail "$(cat values)"

# Which value is the best one follows from the name: any loss by the smallest, an accuracy by the largest.
best_step() {
    sed "s/^  evaluate loss.*/  evaluate $1 = $2 * mean(nll(valid)), every = 10/; /^  evaluate [pbo][a-z]* = [^-0-9]/d" m.ptm >one.ptm
    status 0 "$PTM" train one.ptm --out "$1" --quiet
    best=$(sed 's/.*"best_step":"\([0-9]*\)".*/\1/; q' "$1/last.safetensors" | head -c 3)
}
best_step nats 1
[ "$best" = 20 ] || fail "nats: the best step is $best"
best_step accuracy 1
[ "$best" = 10 ] || fail "accuracy: the best step is $best"
status 0 "$PTM" help settings
says "accuracy"
