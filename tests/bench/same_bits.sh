#!/bin/sh
# The law of determinism: the checkpoint after 200 steps (states, moments and parameters) is the same file with 1, 2, 3 and 8 threads, and for
# 100 steps, kill -9, and a resume. usage: tests/bench/same_bits.sh [MODEL ..]      models/gpt.ptm and models/lstm.ptm by default, the latter
# with dropout and over characters, so that it is quick; $PTM the command, $TEXT a file for --data text. Exit status 1 when bits differ.
set -eu
ptm=${PTM:-build/ptm}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ $# -gt 0 ] || set -- models/gpt.ptm models/lstm.ptm
sum() { sha256sum < "$scratch/$1/last.safetensors" | cut -c1-16; }
for model; do
    flags=
    [ "$(basename "$model")" = lstm.ptm ] && flags="--set unit=chars --set drop=0.3"
    train() { # DIR FLAGS...
        out=$1; shift
        # shellcheck disable=SC2086
        "$ptm" train "$model" $flags ${TEXT:+--data text="$TEXT"} --steps 200 --quiet --out "$scratch/$out" "$@"
    }
    for threads in 1 2 3 8; do
        train "t$threads" --threads "$threads"
        echo "$model threads $threads: $(sum "t$threads")"
    done
    train killed --save-every 100 & pid=$!
    while [ ! -s "$scratch/killed/last.safetensors" ]; do sleep 0.05; done
    kill -9 "$pid"; wait "$pid" 2>/dev/null || true
    train killed --save-every 100 --resume
    echo "$model killed and resumed: $(sum killed)"
    [ "$(for run in t1 t2 t3 t8 killed; do sum "$run"; done | sort -u | wc -l)" = 1 ]
    rm -r "$scratch"/*
done
