#!/bin/sh
# Forward passes with own products and with OpenBLAS's, in turn: gpt.ptm and the encoder of BERT-base (bert.ptm), with all
# threads. usage: tests/bench/forward.sh [ROUNDS]
# Prints the median of ROUNDS medians for each, in milliseconds, and the ratio.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
median() { sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }
# time BLAS MODEL ENTRY B T
time_of() {
    build/ptm bench "$2" --entry "$3" --dim B="$4" --dim T="$5" --steps 15 --blas "$1" | sed -n 's/.*: \([0-9.]*\) ms (fastest.*/\1/p'
}
echo "| forward pass | own, ms | OpenBLAS, ms | ratio |"
echo "|---|---|---|---|"
for work in "models/gpt.ptm logits 12 64" "tests/bench/bert.ptm encode 1 16" "tests/bench/bert.ptm encode 1 128" \
    "tests/bench/bert.ptm encode 1 512"; do
    own='' library=''
    for round in $(seq "$rounds"); do
        # shellcheck disable=SC2086
        own="$own $(time_of none $work)" library="$library $(time_of openblas $work)"
    done
    # shellcheck disable=SC2086
    a=$(printf '%s\n' $own | median) b=$(printf '%s\n' $library | median)
    # shellcheck disable=SC2086
    set -- $work
    awk -v name="$1 $3 x $4" -v a="$a" -v b="$b" 'BEGIN { printf "| %s | %.2f | %.2f | %.2f |\n", name, a, b, a / b }'
done
