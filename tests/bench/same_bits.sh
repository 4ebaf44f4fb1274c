#!/bin/sh
# The law of determinism on models/gpt.ptm: the checkpoint after 200 steps is the same file with 1, 2, 3 and 8 threads, and for 100 steps,
# kill -9, and a resume. usage: tests/bench/same_bits.sh [PTM] [TEXT]      Exit status 1 when bits differ.
set -eu
ptm=${1:-build/ptm}
text=${2:-}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
train() { # DIR FLAGS...
    out=$1; shift
    "$ptm" train models/gpt.ptm ${text:+--data text="$text"} --steps 200 --quiet --out "$scratch/$out" "$@"
}
sum() { sha256sum < "$scratch/$1/last.safetensors" | cut -c1-16; }
for threads in 1 2 3 8; do
    train "t$threads" --threads "$threads"
    echo "threads $threads: $(sum "t$threads")"
done
train killed --save-every 100 & pid=$!
while [ ! -s "$scratch/killed/last.safetensors" ]; do sleep 0.05; done
kill -9 "$pid"; wait "$pid" 2>/dev/null || true
train killed --save-every 100 --resume
echo "killed and resumed: $(sum killed)"
[ "$(for run in t1 t2 t3 t8 killed; do sum "$run"; done | sort -u | wc -l)" = 1 ]
