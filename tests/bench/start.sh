#!/bin/sh
# From a command to its first training step: with nothing kept of earlier commands, and with the cache; GPT-2 small with weights
# drawn, in both forms and by both servers of products, and two models of the gallery; and `ptm check`.
# "ready" is what `ptm train` says: from the start of the process until everything stands but the first step; "all" is the whole
# command with --steps 0, its end included. Medians, and the least. usage: tests/bench/start.sh [ROUNDS]; $PTM the command.
set -eu
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
PTM=${PTM:-build/ptm} rounds=${1:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PTM_CACHE="$scratch/cache"
awk 'BEGIN { for (i = 0; i < 50257; i++) print "w" i }' >"$scratch/words"
now() { date +%s%N; }
# milliseconds LABEL COMMAND..: a line of what it took in all, and of what it says.
milliseconds() {
    label=$1
    shift
    start=$(now)
    "$@" >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    end=$(now)
    said=$(sed -n 's/^ready after \([0-9.]*\) s$/\1/p' "$scratch/out" | awk '{ print int($1 * 1000 + 0.5) }')
    echo "$label ${said:--} $(((end - start) / 1000000))" >>"$scratch/times"
}
# middle LABEL COLUMN: "median (least)"
middle() {
    awk -v label="$1" -v c="$2" '$1 == label { print $c }' "$scratch/times" | sort -n |
        awk '{ x[NR] = $1 } END { printf "%s (%s)", x[int((NR + 1) / 2)], x[1] }'
}
train() {
    title=$1
    shift
    : >"$scratch/times"
    i=0
    while [ "$i" -lt "$rounds" ]; do
        rm -rf "$PTM_CACHE"
        milliseconds cold "$PTM" train "$@" --steps 0
        milliseconds cached "$PTM" train "$@" --steps 0
        i=$((i + 1))
    done
    echo "| $title | $(middle cold 2) | $(middle cold 3) | $(middle cached 2) | $(middle cached 3) |"
}
check() {
    : >"$scratch/times"
    i=0
    while [ "$i" -lt "$rounds" ]; do
        milliseconds check "$PTM" check "$1"
        i=$((i + 1))
    done
    echo "| check $1 | | $(middle check 3) | | |"
}
echo "| milliseconds, median (least) of $rounds | cold: ready | all | cached: ready | all |"
echo "|---|---|---|---|---|"
for blas in openblas none; do
    train "GPT-2 small 4x64, $blas" tests/bench/gpt2.ptm --data text="$scratch/words" --blas $blas
    train "GPT-2 small 1x1024, $blas" tests/bench/gpt2.ptm --data text="$scratch/words" --blas $blas --set rows=1 --set span=1024
done
train "gpt.ptm, none" models/gpt.ptm --blas none
train "lstm.ptm, none" models/lstm.ptm --blas none
check models/gpt.ptm
check models/lstm.ptm
