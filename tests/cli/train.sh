# Training, stopping, resuming, evaluating and generating: the same bits whatever the threads and however often it stopped.
. "$TESTS/cli/common"
model=$TESTS/../models/bow.ptm

status 0 "$PTM" train "$model" --steps 30 --out whole --threads 1
says "memory of training"
status 1 "$PTM" train "$model" --steps 30 --out whole
says "--resume"
status 1 "$PTM" train missing.ptm --out whole
says "whole holds a run already"
status 0 "$PTM" train "$model" --steps 30 --out threads --threads 3
cmp whole/last.safetensors threads/last.safetensors
status 0 "$PTM" train "$model" --steps 30 --out seed --threads 1 --seed 7
cmp -s whole/last.safetensors seed/last.safetensors && fail "another seed gives the same weights"
[ -s whole/metrics.jsonl ] || fail "no metrics"
status 0 "$PTM" eval "$model" --weights whole
says "accuracy"

# Killed at some step, then resumed: as if nothing had happened.
status 0 "$PTM" train "$model" --steps 2000 --save-every 20 --out long --quiet
"$PTM" train "$model" --steps 2000 --save-every 20 --out killed --quiet >/dev/null 2>&1 &
process=$!
tries=0
while [ ! -e killed/last.safetensors ] && [ $tries -lt 200 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
kill -9 $process 2>/dev/null || true
wait $process 2>/dev/null || true
status 0 "$PTM" train "$model" --steps 2000 --save-every 20 --out killed --quiet --resume
cmp long/last.safetensors killed/last.safetensors

gpt=$TESTS/../models/gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8"
status 0 "$PTM" train "$gpt" $small --steps 3 --out gpt
status 0 "$PTM" generate "$gpt" --weights gpt --length 20 --seed 1
cp out once
status 0 "$PTM" generate "$gpt" --weights gpt --length 20 --seed 1 --threads 1
cmp once out
status 1 "$PTM" generate "$gpt" --weights nothing --length 20
