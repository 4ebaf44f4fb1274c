# Stages: each trains what it does not freeze, with states, steps and evaluations of its own.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
const first = 20, second = 20
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text")), 0.1)
  batch = windows(fit, length = 9, batch = 8, shuffle = true)
  valid = windows(held, length = 9, batch = 64)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] {
  return cross_entropy(head: linear(tanh(body: embedding(ids[:, :-1], V, 8)), V), ids[:, 1:])
}
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
fn stalled(rate, v: f32[K]) -> f32 { return rate * 0.5 ^ sum(f32(v[1:] >= v[:-1] - 10.0)) }
train {
  minimize loss(batch)
  using adam(lr = 0.02)
  evaluate loss = mean(nll(valid)), every = 10
  stage body { steps first }
  stage head {
    freeze "body.**"
    using adam(lr = stalled(0.02, loss))
    evaluate last = mean(nll(valid)[:, -1])
    steps second
  }
}
MODEL
# tensor FILE NAME: the bytes of a tensor.
tensor() {
    header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    place=$(head -c $((8 + header)) "$1" | tail -c "$header" |
        sed -n "s/.*\"$2\":{[^}]*\"data_offsets\":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/p")
    [ "$place" ] || return 1
    tail -c +$((9 + header + ${place% *})) "$1" | head -c $((${place#* } - ${place% *}))
}

status 0 "$PTM" check m.ptm
status 0 "$PTM" train m.ptm --out whole
says "stage body: 20 steps; one step:"
says "stage head: 20 steps; one step:"
grep -q '"stages"' whole/run.json || fail "run.json does not know the stages: $(cat whole/run.json)"
grep -q '"steps": 40' whole/run.json || fail "the length of the run is not that of its stages: $(cat whole/run.json)"

# --steps is the length of all stages together: cut after the first, it is what the second begins with.
status 0 "$PTM" train m.ptm --steps 20 --out cut --quiet
tensor cut/last.safetensors body.weight >one
tensor whole/last.safetensors body.weight >two
cmp one two || fail "a frozen parameter has changed"
tensor cut/last.safetensors head.weight >one
tensor whole/last.safetensors head.weight >two
cmp -s one two && fail "the second stage trains nothing"
tensor cut/last.safetensors optimizer.body.weight.m >/dev/null || fail "the first stage has no states of its optimizer"
tensor whole/last.safetensors optimizer.body.weight.m >/dev/null 2>&1 && fail "a frozen parameter has states of the optimizer"
status 0 "$PTM" train m.ptm --steps 60 --out longer --quiet
grep -q '"steps": 60' longer/run.json || fail "the last stage makes what is left: $(cat longer/run.json)"

# The second stage reads its evaluations: the rate halves with every value behind the first.
rates() { grep '"lr"' "$1/metrics.jsonl" | sed 's/.*"lr": *\([0-9.e-]*\).*/\1/' | tr '\n' ' '; }
case "$(rates longer)" in
*" 0.0199999996 0.00999999978 0.00499999989 ") ;;
*) fail "rates: $(rates longer)" ;;
esac
grep -q valid_last whole/metrics.jsonl || fail "no evaluation of the second stage"

# The same bits whatever the threads, and when it is killed and goes on in either stage.
status 0 "$PTM" train m.ptm --out threads --quiet --threads 3
cmp whole/last.safetensors threads/last.safetensors
status 0 "$PTM" train m.ptm --set second=60 --save-every 5 --out straight --quiet
for line in 2 5; do
    "$PTM" train m.ptm --set second=60 --save-every 5 --out killed$line --quiet >/dev/null 2>&1 &
    process=$!
    tries=0
    while [ "$(cat killed$line/metrics.jsonl 2>/dev/null | wc -l)" -lt $line ] && [ $tries -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    kill -9 $process 2>/dev/null || true
    wait $process 2>/dev/null || true
    status 0 "$PTM" train m.ptm --out killed$line --resume --quiet
    cmp straight/last.safetensors killed$line/last.safetensors
    cmp straight/run.json killed$line/run.json
done
# eval: the lines of all stages, each once; a line that the last stage replaces has its stage before its name.
sed 's/^    evaluate last.*/&\n    evaluate loss = 2 * mean(nll(valid))/; s/stalled(0.02, loss)/0.02/' m.ptm >twice.ptm
"$PTM" eval m.ptm --weights whole >all
"$PTM" eval m.ptm --weights whole --stage body >body
"$PTM" eval twice.ptm --weights whole | grep '^body.loss' | sed 's/^body.loss   /loss        /' >replaced
[ "$(sed 's/ .*//' all | tr '\n' ' ')" = "loss last " ] || fail "eval: $(cat all)"
head -1 all | cmp - body
cmp body replaced
status 1 "$PTM" eval m.ptm --weights whole --stage heda
says "m.ptm has no stage heda; did you mean head?"
status 0 "$PTM" eval m.ptm --weights whole --json
grep -q '^{"loss": [0-9.]*, "last": [0-9.]*}$' out || fail "$(cat out)"
status 0 "$PTM" eval m.ptm --weights whole
says "last "

# What the command says of data and of stages that train nothing.
status 0 "$PTM" data m.ptm
says "stage body"
says "batch: i32[8, 9]"
sed 's/freeze "body.\*\*"/freeze "**"/' m.ptm >frozen.ptm
status 1 "$PTM" train frozen.ptm --steps 40
says "every parameter that this stage reaches is frozen"
sed 's/freeze "body/freeze "bodi/' m.ptm >missing.ptm
status 1 "$PTM" train missing.ptm --steps 20
says 'the pattern "bodi.**" matches no parameter'
status 0 "$PTM" dump m.ptm --stage plan
