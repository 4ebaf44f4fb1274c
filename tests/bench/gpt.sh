#!/bin/sh
# A training step of models/gpt.ptm (4 layers of 128, 12 x 64 tokens) against PyTorch in its fastest set-up, in alternation.
# usage: tests/bench/gpt.sh [ROUNDS]      needs python3 (or $PYTHON) with torch; prints medians of milliseconds and the ratio.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import torch' 2>/dev/null || python=/usr/bin/python3       # the system's, where Debian's package is
cd "$(dirname "$0")/../.."
rounds=${1:-5}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
"$python" -c 'import torch' 2>/dev/null || { echo "skipped: python3 has no torch (Debian: python3-torch)"; exit 0; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ours() {
    rm -rf "$scratch/run"
    build/ptm train models/gpt.ptm --steps 400 --threads 2 --quiet --out "$scratch/run"
    "$python" tests/bench/step_ms.py "$scratch/run/metrics.jsonl"
}
openmp=$(ls /usr/lib/*/openblas-openmp/libopenblas.so.0 2>/dev/null | head -1 || true)
torch_plain()   { "$python" tests/bench/torch_gpt.py --threads 2; }
torch_avx512()  { ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE "$python" tests/bench/torch_gpt.py --threads 2; }
torch_openmp()  { ATEN_CPU_CAPABILITY=avx512 OMP_WAIT_POLICY=PASSIVE LD_PRELOAD=$openmp "$python" tests/bench/torch_gpt.py --threads 2; }
torch_one()     { ATEN_CPU_CAPABILITY=avx512 OPENBLAS_NUM_THREADS=1 "$python" tests/bench/torch_gpt.py --threads 1; }
setups="plain avx512 one"
[ -n "$openmp" ] && setups="$setups openmp"
i=0
while [ "$i" -lt "$rounds" ]; do
    ours >> "$scratch/ours"
    for setup in $setups; do "torch_$setup" >> "$scratch/$setup"; done
    i=$((i + 1))
done
"$python" - "$scratch" ours $setups <<'P'
import statistics, sys
folder, names = sys.argv[1], sys.argv[2:]
median = {n: statistics.median(float(x) for x in open(f"{folder}/{n}")) for n in names}
best = min(names[1:], key=median.get)
flops = 3 * 2 * 768 * (4 * 12 * 128 * 128 + 65 * 128) + 3 * 4 * 12 * 4 * 2 * 2 * 64 * 64 * 32
for n in names:
    print(f"| {'ptm' if n == 'ours' else 'PyTorch, ' + n} | {median[n]:.2f} ms | {768e3 / median[n]:.0f} tokens/s |")
print(f"ratio to the fastest PyTorch ({best}): {median[best] / median['ours']:.2f}")
print(f"products: {flops / 1e9:.2f} GFLOP a step, {flops / median['ours'] / 1e6:.0f} GFLOP/s reached")
P
