#!/bin/sh
# The law of determinism: 1, 2, 3 and 8 threads compute the same bits, with own products and with OpenBLAS's, in every precision and with every
# type of weights, on every row of the table of speeds (rows.sh); and 100 steps, kill -9, and a resume make the file that 200 steps make.
# usage: tests/bench/same_bits.sh [ROW ..]      only rows whose names begin so, or "resume"; $PTM the command. Prints a line for each: the sum of
# what was computed (a checkpoint with parameters and moments, a result, a text) and how many threads worked. Exit status 1 when bits differ.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/rows.sh
. tests/cli/npy
ptm=${PTM:-build/ptm} chosen=$*
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
precision=''
! "$ptm" train --help | grep -q -- --precision || precision='--precision bf16'
differ=0

ids() { # COUNT: whole numbers below 30000, as a file of one row
    numbers=$(awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print i * 7919 % 30000 }')
    # shellcheck disable=SC2086
    npy '<i4' "(1, $1)" "$(i32 $numbers)"
}
# compare NAME COMMAND ..: runs it with each number of threads; what it computes goes to $scratch/result, of training to a folder.
compare() {
    name=$1 first='' counts='' verdict=same
    shift
    for threads in 1 2 3 8; do
        rm -rf "$scratch/result"
        if ! "$@" --threads "$threads" >"$scratch/out" 2>"$scratch/err"; then
            cat "$scratch/err" >&2
            verdict=FAILED differ=1
            continue
        fi
        file=$scratch/result
        [ ! -d "$file" ] || file=$file/last.safetensors
        now=$(sha256sum <"$file" | cut -c1-16)
        [ "${first:=$now}" = "$now" ] || { verdict=DIFFERENT && differ=1; }
        counts="$counts $(sed -n 's/^ *thread scratch .*(\([0-9]*\) threads*)$/\1/p' "$scratch/out" | grep . || echo $threads)"
    done
    rm -rf "$scratch/result"
    echo "$name: $first $verdict; threads$counts"
}
trained() { # NAME MODEL AND FLAGS: with each server of products and in each precision
    name_of_row=$1
    shift
    for variant in "--blas none" "--blas openblas" ${precision:+"--blas none $precision"}; do
        # shellcheck disable=SC2086
        compare "$name_of_row, $variant" "$ptm" train "$@" $variant --out "$scratch/result"
    done
}
gpt() { # the rows of other precisions are variants of those of f32
    wanted "$1" || return 0
    name=$1 layers=$5 heads=$6 width=$7 rows=$8 span=$9
    shift 9
    [ $# = 2 ] || return 0
    words "$1" "$scratch/$1"
    steps=$(($2 / 20 + 1))
    trained "$name" tests/bench/gpt2.ptm --data text="$scratch/$1" --set layers="$layers" --set heads="$heads" --set width="$width" \
        --set rows="$rows" --set span="$span" --steps "$steps"
}
rnn() {
    wanted "$1" || return 0
    words 10000 "$scratch/10000"
    trained "$1" tests/bench/rnn.ptm --data text="$scratch/10000" --set cell="$4" --set width="$6" --set span="$7" --steps 3
}
bert() {
    wanted "$1" && [ $# = 5 ] || return 0
    ids "$4" >"$scratch/ids.npy"
    [ -d "$scratch/bert" ] || "$ptm" train tests/bench/bert.ptm --quiet --out "$scratch/bert" >"$scratch/out"
    for variant in "--blas none" "--blas openblas" ${precision:+"--blas none $precision"} "--blas none --weight-type bf16" \
        "--blas none --weight-type i8"; do
        # shellcheck disable=SC2086
        compare "$1, $variant" "$ptm" run tests/bench/bert.ptm --entry encode --weights "$scratch/bert" --input t="$scratch/ids.npy" $variant --output "$scratch/result"
    done
}
decode() {
    wanted "$1" || return 0
    name_of_row=$1
    shift 4
    words 50257 "$scratch/50257"
    [ -d "$scratch/decode" ] || "$ptm" train tests/bench/decode.ptm --data text="$scratch/50257" --quiet --out "$scratch/decode" >"$scratch/out"
    for blas in none openblas; do
        compare "$name_of_row, --blas $blas" generated --blas "$blas" "$@"
    done
}
# A prompt of several words and 20 tokens drawn from what the model thinks likely, so that every logit counts.
generated() {
    "$ptm" generate tests/bench/decode.ptm --weights "$scratch/decode" --prompt "w0 w1 w2 w3 w4" --length 20 --temperature 1 "$@" >"$scratch/result"
}
resumed() { # MODEL FLAGS
    rm -rf "$scratch/killed" "$scratch/whole"
    "$ptm" train "$@" --steps 200 --quiet --out "$scratch/whole"
    "$ptm" train "$@" --steps 200 --quiet --save-every 100 --out "$scratch/killed" & pid=$!
    while [ ! -s "$scratch/killed/last.safetensors" ]; do sleep 0.05; done
    kill -9 "$pid"; wait "$pid" 2>/dev/null || true
    "$ptm" train "$@" --steps 200 --quiet --save-every 100 --resume --out "$scratch/killed"
    verdict=same
    cmp -s "$scratch/whole/last.safetensors" "$scratch/killed/last.safetensors" || { verdict=DIFFERENT && differ=1; }
    echo "resume $1: $verdict as in one run"
}

rows
if wanted resume; then
    resumed models/gpt.ptm
    resumed models/lstm.ptm --set unit=chars --set drop=0.3
fi
exit $differ
