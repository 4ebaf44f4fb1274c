#!/bin/sh
# Time to the first token of a model of 500 MB, beside the time to read its file once: in the layout of GPT-2 (queries, keys and
# values in one matrix) and under the model's own names. Warm file cache, code from ptm's cache; median and least of N.
# usage: tests/bench/weights.sh [N]       needs a python3 with numpy
set -eu
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
here=$(cd "$(dirname "$0")/../.." && pwd)
PTM=${PTM:-$here/build/ptm} times=${1:-7}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PTM_CACHE="$work/cache"
cat >"$work/m.ptm" <<'MODEL'
import "lib/transformer.ptm"
const V = 50257, context = 1024, D = 768, heads = 12, layers = 12
fn next(ids: i32[B, T]) -> f32[B, V] {
  x = (wte: embedding(ids, V, D)) + (wpe: embedding(iota(T), context, D))
  for i in 0..layers { x = h[i]: block(x, heads = heads, act = gelu_tanh, pre = true, causal = true, drop = 0.0) }
  return (ln_f: layer_norm(x))[:, -1] @ wte.weight.T
}
weights hf {
  "h.*.attn.query.*", "h.*.attn.key.*", "h.*.attn.value.*" = split("h.*.attn.c_attn.*", 3)
  "h.*.attn.out.*" = "h.*.attn.c_proj.*"
  "h.*.up.*" = "h.*.mlp.c_fc.*"
  "h.*.down.*" = "h.*.mlp.c_proj.*"
}
weights own { }
MODEL
python=python3
$python -c 'import numpy' 2>/dev/null || python=/usr/bin/python3
$python - "$work" <<'PYTHON'
import sys
import numpy as np
d, rng = 768, np.random.default_rng(0)
shapes = {"wte.weight": (50257, d), "wpe.weight": (1024, d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
for i in range(12):
    for name, extents in (("ln_1", (d,)), ("ln_2", (d,)), ("attn.c_attn", (d, 3 * d)), ("attn.c_proj", (d, d)),
                          ("mlp.c_fc", (d, 4 * d)), ("mlp.c_proj", (4 * d, d))):
        shapes[f"h.{i}.{name}.weight"] = extents
        shapes[f"h.{i}.{name}.bias"] = extents[-1:]
np.savez(sys.argv[1] + "/hf.npz", **{name: rng.standard_normal(s, "float32") * np.float32(0.02) for name, s in shapes.items()})
np.save(sys.argv[1] + "/ids.npy", np.array([[464]], "int32"))
PYTHON
"$PTM" weights "$work/m.ptm" --weights "$work/hf.npz" --to hf -o "$work/hf.safetensors"
"$PTM" weights "$work/m.ptm" --weights "$work/hf.npz" --to own -o "$work/own.safetensors"
rm "$work/hf.npz"

first_token() { "$PTM" run "$work/m.ptm" --weights "$1" --entry next --input ids="$work/ids.npy" >/dev/null; }
read_once() { dd if="$1" of=/dev/null bs=1M 2>/dev/null; }
seconds() { # seconds NAME COMMAND …: adds one time to $work/NAME.
    name=$1
    shift
    begin=$(date +%s%N)
    "$@"
    echo $((($(date +%s%N) - begin) / 1000)) >>"$work/$name"
}
first_token "$work/hf.safetensors"
first_token "$work/own.safetensors"
i=0
while [ $i -lt "$times" ]; do
    seconds read_once read_once "$work/hf.safetensors"
    seconds hf first_token "$work/hf.safetensors"
    seconds own first_token "$work/own.safetensors"
    i=$((i + 1))
done
bytes=$(wc -c <"$work/hf.safetensors")
for name in read_once hf own; do
    sort -n "$work/$name" | awk -v name=$name -v bytes="$bytes" '{ t[NR] = $1 } END {
        printf "%-10s median %6.0f ms, least %6.0f ms, %5.1f GB/s\n", name, t[int((NR + 1) / 2)] / 1000, t[1] / 1000, bytes / t[1] / 1000 }'
done
