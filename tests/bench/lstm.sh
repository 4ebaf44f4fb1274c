#!/bin/sh
# A training step of models/lstm.ptm (two layers, vocabulary of 10,000 words) against PyTorch in its fastest set-up, in alternation.
# usage: tests/bench/lstm.sh [WIDTH SPAN [ROUNDS]]      default: 200 20, then 650 35; needs python3 (or $PYTHON) with torch.
# Prints medians of milliseconds, words a second, the ratio, and the share of the floor: the time of the products at $PEAK GFLOP/s
# (default 530: two cores of 265) and of the optimizer's bytes at $BANDWIDTH GB/s (default 60).
set -eu
python=${PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || python=/usr/bin/python3       # the system's, where Debian's package is
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
"$python" -c 'import torch' 2>/dev/null || { echo "skipped: python3 has no torch (Debian: python3-torch)"; exit 0; }
if [ $# -lt 2 ]; then
    "$0" 200 20 "${1:-5}"
    exec "$0" 650 35 "${1:-5}"
fi
width=$1 span=$2 rounds=${3:-5} rows=20
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
awk 'BEGIN { srand(1); for (i = 1; i < 9999; i++) printf "w%d%s", i, i % 12 ? " " : "\n"
             for (i = 0; i < 60000; i++) printf "w%d%s", 1 + int(rand() * 9998), i % 12 ? " " : "\n" }' > "$scratch/text"
ours() {
    rm -rf "$scratch/run"
    build/ptm train models/lstm.ptm --data text="$scratch/text" --set width="$width" --set span="$span" --set passes=1 \
        --steps "$1" --threads 2 --quiet --out "$scratch/run" > /dev/null
    "$python" tests/bench/step_ms.py "$scratch/run/metrics.jsonl"
}
steps=60
openmp=$(ls /usr/lib/*/openblas-openmp/libopenblas.so.0 2>/dev/null | head -1 || true)
peer() { "$python" tests/bench/torch_rnn.py --width "$width" --span "$span" --rows "$rows" "$@"; }
torch_plain()  { peer --threads 2; }
torch_avx512() { export ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE; peer --threads 2; }
torch_openmp() { export ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE LD_PRELOAD=$openmp; peer --threads 2; }
torch_one()    { export ATEN_CPU_CAPABILITY=avx512 OPENBLAS_NUM_THREADS=1; peer --threads 1; }
setups="plain avx512 one"
[ -n "$openmp" ] && setups="$setups openmp"
i=0
while [ "$i" -lt "$rounds" ]; do
    ours "$steps" >> "$scratch/ours"
    for setup in $setups; do (torch_$setup) >> "$scratch/$setup"; done
    i=$((i + 1))
done
"$python" - "$scratch" "$width" "$span" "$rows" ours $setups <<'P'
import os, statistics, sys
folder, H, T, B, names = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5:]
median = {n: statistics.median(float(x) for x in open(f"{folder}/{n}")) for n in names}
best = min(names[1:], key=median.get)
V, words = 10000, B * T
flops = 3 * 2 * words * (2 * 2 * H * 4 * H + H * V)
bytes = 4 * (3 * (H * V + V + 16 * H * H) + 3 * words * H)           # weights read and written, gradients read; embedding by rows
floor = 1e3 * (flops / (float(os.environ.get("PEAK", 530)) * 1e9) + bytes / (float(os.environ.get("BANDWIDTH", 60)) * 1e9))
print(f"LSTM 2 x {H}, {B} x {T} words, vocabulary {V}, f32, 2 threads")
for n in names:
    print(f"| {'ptm' if n == 'ours' else 'PyTorch, ' + n} | {median[n]:.2f} ms | {words * 1e3 / median[n]:.0f} words/s |")
print(f"ratio to the fastest PyTorch ({best}): {median[best] / median['ours']:.2f}")
print(f"products: {flops / 1e9:.2f} GFLOP a step, {flops / median['ours'] / 1e6:.0f} GFLOP/s reached; floor {floor:.1f} ms, share {100 * floor / median['ours']:.0f} %")
P
