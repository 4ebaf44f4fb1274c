#!/bin/sh
# models/lstm.ptm on Penn Treebank: the small model of Zaremba et al. (2014), 13 epochs, and its test perplexity (114.5 in the paper).
# usage: PTM_DATA=DIR tests/bench/ptb.sh [small|medium [PASSES]]      DIR/ptb has ptb.train.txt(.gz), ptb.valid.txt, ptb.test.txt
# Prints the validation perplexity after each epoch, then that of the test text. Medium: 39 epochs make 86.2 and 82.7 in the paper.
set -eu
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
data=${PTM_DATA:-}/ptb
[ -f "$data/ptb.test.txt" ] || { echo "skipped: no ptb/ptb.test.txt in \$PTM_DATA"; exit 0; }
out=${OUT:-$(mktemp -d)}
if [ -f "$data/ptb.train.txt" ]; then cp "$data/ptb.train.txt" "$out/train.txt"; else gzip -dc "$data/ptb.train.txt.gz" > "$out/train.txt"; fi
sets=""
if [ "${1:-small}" = medium ]; then
    sets="--set width=650 --set span=35 --set drop=0.5 --set range=0.05 --set factor=0.8333333333333334 --set after=6 --set passes=${2:-39}"
fi
build/ptm train models/lstm.ptm $sets --set split=false --data text="$out/train.txt" --data valid="$data/ptb.valid.txt" --out "$out/run"
build/ptm eval models/lstm.ptm --weights "$out/run" --data text="$out/train.txt" --data valid="$data/ptb.test.txt" --set held_rows=1
