# A run that is killed (kill -9) at random moments, again and again, and goes on each time, ends as one that nothing happened to: the same
# checkpoints, best weights and metrics, byte for byte, and nothing left half written. Moments are drawn from SEED (default 1).
#     KILLS=100 tests/run.sh cli build/ptm tests/cli/killed.sh        # 100 for each of the three models; 3 without
. "$TESTS/cli/common"
kills=${KILLS:-3} seed=${SEED:-1}
models=$TESTS/../models
awk 'BEGIN { for (i = 0; i < 1500; i++) print "line " i " of a text that is long enough: " i * i % 977 }' >t.txt

# Two stages, the first in shards, an optimizer that follows the evaluations, dropout.
cat >staged.ptm <<'END'
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text")), 0.1)
  batch = windows(fit, length = 9, batch = 8, shuffle = true)
  valid = windows(held, length = 9, batch = 64)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] {
  return cross_entropy(head: linear(dropout(tanh(body: embedding(ids[:, :-1], V, 8)), 0.1), V), ids[:, 1:])
}
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
fn stalled(rate, v: f32[K]) -> f32 { return rate * 0.5 ^ sum(f32(v[1:] >= v[:-1] - 0.01)) }
train {
  minimize loss(batch)
  evaluate loss = mean(nll(valid)), every = 15
  stage body {
    using      adamw(lr = 0.02)
    accumulate 3
    steps      90
  }
  stage head {
    freeze "body.**"
    using adam(lr = stalled(0.02, loss))
    steps 110
  }
}
END

# random N: the Nth number from [0, 1) of the seed.
random() { awk -v seed="$seed" -v n="$1" 'BEGIN { srand(seed); for (i = 0; i < n; i++) x = rand(); print x }'; }
metrics() { sed 's/, "step_s.*//' "$1/metrics.jsonl"; }

# killed NAME MODEL FLAGS...: the comparison for one model. A run that ends before its moment begins anew, and the next moment is earlier.
killed() {
    name=$1
    shift
    status 0 "$PTM" train "$@" --out "$name.whole" --quiet
    begin=$(date +%s.%N)
    status 0 "$PTM" train "$@" --out "$name.again" --quiet
    within=$(echo "$begin $(date +%s.%N)" | awk '{ print $2 - $1 }')
    compare "$name.again"
    early=0 ended=0 hits=0 draw=0
    while [ $hits -lt "$kills" ]; do
        draw=$((draw + 1))
        resume=
        [ -e "$name/run.json" ] && resume=--resume
        "$PTM" train "$@" --out "$name" $resume --quiet >log 2>&1 &
        process=$!
        sleep "$(awk -v x="$(random $draw)" -v t="$within" 'BEGIN { print x * t }')"
        kill -9 $process 2>/dev/null || true
        got=0
        wait $process 2>/dev/null || got=$?
        case $got in
        0)
            compare "$name"
            rm -r "$name"
            ended=$((ended + 1))
            within=$(awk -v t="$within" 'BEGIN { print 0.8 * t }')
            ;;
        137)
            hits=$((hits + 1))
            [ -e "$name/last.safetensors" ] || early=$((early + 1))
            ;;
        *) fail "$name ends with status $got: $(cat log)" ;;
        esac
    done
    resume=
    [ -e "$name/run.json" ] && resume=--resume
    status 0 "$PTM" train "$@" --out "$name" $resume --quiet
    compare "$name"
    echo "$name: $hits kills, $early of them before the first checkpoint; the run ended $((ended + 1)) times"
}

# compare RUN: it is what the undisturbed run was.
compare() {
    whole=${1%.again}.whole
    for file in last.safetensors best.safetensors run.json tok.tokenizer; do cmp "$whole/$file" "$1/$file"; done
    metrics "$whole" >whole.txt
    metrics "$1" | cmp - whole.txt
    [ "$(ls "$whole")" = "$(ls "$1")" ] || fail "$1: $(ls "$1")"
}

killed staged staged.ptm --save-every 7 --data text=t.txt
small="--set layers=1 --set width=16"
# shellcheck disable=SC2086
killed gpt "$models/gpt.ptm" $small --set heads=2 --set context=8 --steps 200 --save-every 7 --data text=t.txt
# shellcheck disable=SC2086
killed lstm "$models/lstm.ptm" $small --set unit=chars --set drop=0.2 --set span=8 --steps 200 --save-every 7 --data text=t.txt
