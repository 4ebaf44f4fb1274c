#!/bin/sh
# models/charrnn.ptm and the same recipe in PyTorch on one text: held-out nats a character, epoch by epoch.
# usage: PTM_DATA=DIR tests/bench/charrnn.sh [EPOCHS [CELL]]      DIR/tinyshakespeare/input.txt; needs python3 (or $PYTHON) with torch
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/peers.sh
text=${PTM_DATA:-}/tinyshakespeare/input.txt
[ -f "$text" ] || { echo "skipped: no tinyshakespeare/input.txt in \$PTM_DATA"; exit 0; }
epochs=${1:-50} cell=${2:-lstm}
out=${OUT:-$(mktemp -d)}
build/ptm train models/charrnn.ptm --data text="$text" --set passes="$epochs" --set cell="$cell" --quiet --out "$out/run"
[ -z "$torch_setups" ] || torch_in avx512 tests/bench/torch_charrnn.py "$text" --epochs "$epochs" --cell "$cell" > "$out/torch.jsonl"
"$python" - "$out" <<'P'
import json, os, sys
out = sys.argv[1]
ours = [json.loads(x) for x in open(f"{out}/run/metrics.jsonl")]
ours = [x for x in ours if "valid_loss" in x]
peer = [json.loads(x) for x in open(f"{out}/torch.jsonl")] if os.path.exists(f"{out}/torch.jsonl") else []
print("| epoch | ptm | PyTorch |\n|---|---|---|")
for i, x in enumerate(ours):
    print(f"| {i + 1} | {x['valid_loss']:.4f} | {peer[i]['valid_loss']:.4f} |" if i < len(peer) else f"| {i + 1} | {x['valid_loss']:.4f} | |")
P
