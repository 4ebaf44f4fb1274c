#!/bin/sh
# What a token costs: GPT-2 small with drawn weights (tests/bench/decode.ptm), one row, two threads, with weights in f32, bf16 and i8,
# against PyTorch in its fastest set-up and against the speed at which the same run reads memory. usage: tests/bench/decode.sh [ROUNDS]
# Prints medians of milliseconds, bytes a token, and their share of what memory gives. Without torch: ptm's lines alone. LENGTH:
# tokens of a text (1000). BLAS: whose products (own ones, none).
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/peers.sh
rounds=${1:-3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
awk 'BEGIN { for (i = 0; i < 50257; i++) print "w" i }' >"$scratch/words"
build/ptm train tests/bench/decode.ptm --data text="$scratch/words" --threads 2 --quiet --out "$scratch/run"
ours() { # ours TYPE
    build/ptm generate tests/bench/decode.ptm --weights "$scratch/run" --prompt w0 --length "${LENGTH:-1000}" --temperature 0 \
        --threads 2 --blas "${BLAS:-none}" --weight-type "$1" --stats 2>"$scratch/stats" >/dev/null
    sed -n 's/^token: \([0-9.]*\) ms.* \([0-9.]*\) MB moved.*/\1 \2/p; s/.*: \([0-9.]*\) ms; from .*: \([0-9.]*\) ms$/\1 \2/p' \
        "$scratch/stats" | tr '\n' ' '
    build/ptm bench --threads 2 | sed -n 's/^ *reading memory, GB\/s *[0-9.]* *\([0-9.]*\).*/\1/p'
}
i=0
while [ "$i" -lt "$rounds" ]; do
    for type in f32 bf16 i8; do ours "$type" >>"$scratch/$type"; done
    for setup in $torch_setups; do torch_in "$setup" tests/bench/torch_decode.py >>"$scratch/$setup"; done
    i=$((i + 1))
done
# column_median FILE COLUMN
column_median() { awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }
last=5
[ "${LENGTH:-1000}" -gt 900 ] || last=3
token=$(column_median "$scratch/f32" 1)
for type in f32 bf16 i8; do
    ms=$(column_median "$scratch/$type" 1) bytes=$(column_median "$scratch/$type" 2) memory=$(column_median "$scratch/$type" "$last")
    early= late=
    if [ "${LENGTH:-1000}" -gt 900 ]; then
        early="tokens 1 to 100: $(column_median "$scratch/$type" 3) ms" late="from 900 on: $(column_median "$scratch/$type" 4) ms"
    fi
    awk "BEGIN { printf \"| ptm, %s | %s ms a token, %.2f x f32 | %s MB a token, %.1f GB/s, %.0f %% of the %.1f GB/s that two threads read | \", \
        \"$type\", \"$ms\", $token / $ms, \"$bytes\", $bytes / $ms, 100 * $bytes / $ms / $memory, $memory }"
    echo "$early | $late |"
done
best= fastest=
for setup in $torch_setups; do
    ms=$(column_median "$scratch/$setup" 1)
    echo "| PyTorch, $setup | $ms ms a token | tokens 1 to 100: $(column_median "$scratch/$setup" 2) ms | from 900 on: $(column_median "$scratch/$setup" 3) ms |"
    if [ -z "$best" ] || awk "BEGIN { exit !($ms < $best) }"; then best=$ms fastest=$setup; fi
done
[ -z "$best" ] || awk "BEGIN { printf \"ratio to the fastest PyTorch ($fastest): %.2f\n\", $best / $token }"
