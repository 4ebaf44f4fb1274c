# Ctrl-C, a polite kill and a closed terminal save and stop, and the run goes on to the same bits; a second Ctrl-C loses nothing. One run at
# a time may have a directory, and it says so when its directory goes away.
. "$TESTS/cli/common"
model=$TESTS/../models/gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8"
steps=12000                              # long enough for a signal to find it at work
awk 'BEGIN { for (i = 0; i < 400; i++) print "line " i " of a text that is long enough: " i * i }' >t.txt
metrics() { sed 's/, "step_s.*//' "$1/metrics.jsonl"; }
train() { # DIR FLAGS...
    directory=$1
    shift
    # shellcheck disable=SC2086
    exec "$PTM" train "$model" $small --data text=t.txt --steps $steps --save-every 100000 --out "$directory" "$@"
}

# begun DIR: a run in the background that has made its first step.
begun() {
    train "$1" >"$1.log" 2>&1 &
    process=$!
    tries=0
    while [ ! -s "$1/metrics.jsonl" ] && [ $tries -lt 600 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    [ -s "$1/metrics.jsonl" ] || fail "$1 does not begin: $(cat "$1.log")"
}
ended() { # STATUS
    got=0
    wait $process || got=$?
    [ $got = "$1" ] || fail "status $got instead of $1: $(cat "$directory.log")"
}
stopped() {
    directory=$1
    ended 0
    # A run that was over before the signal came shows nothing, and is the same.
    grep -q "stopped after step\|step $steps/$steps" "$1.log" || fail "$1 does not say that it stopped: $(cat "$1.log")"
    status 0 "$PTM" train "$model" --out "$1" --resume --quiet
    cmp whole/last.safetensors "$1/last.safetensors"
    cmp whole/best.safetensors "$1/best.safetensors"
    metrics whole >whole.txt
    metrics "$1" | cmp - whole.txt
}

status 0 "$PTM" train "$model" $small --data text=t.txt --steps $steps --save-every 100000 --out whole --quiet
for signal in INT TERM HUP; do
    begun $signal
    kill -$signal $process 2>/dev/null || true
    stopped $signal
done
begun twice
kill -INT $process 2>/dev/null || true
kill -INT $process 2>/dev/null || true
stopped twice

# A run that `nohup` began does not hear of the terminal.
trap '' HUP
begun nohup
trap - HUP
kill -HUP $process 2>/dev/null || true
directory=nohup
ended 0
cmp whole/last.safetensors nohup/last.safetensors

# Two runs in one directory: the second says so and changes nothing, the first does not notice.
begun both
kill -STOP $process                      # held, so that it is not over before the second has begun
status 1 "$PTM" train "$model" --out both --resume --quiet
says "another run is writing there"
kill -CONT $process
directory=both
ended 0
cmp whole/last.safetensors both/last.safetensors
metrics both | cmp - whole.txt

# The directory is removed under it.
begun gone
kill -STOP $process
mv gone away
rm -r away
kill -CONT $process
directory=gone
ended 1
grep -q "ptm train: gone/.*No such file or directory" gone.log || fail "$(cat gone.log)"
[ ! -e gone ] || fail "gone is back"
