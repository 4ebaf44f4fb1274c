#!/bin/sh
# models/bilstm.ptm and models/bow.ptm on SST-2: accuracy on the test sentences at the best epoch on dev, three seeds.
# usage: PTM_DATA=DIR tests/bench/bilstm.sh [SEEDS]      DIR/sst-2 has train.tsv.gz, dev.tsv, test.tsv
set -eu
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
sst=${PTM_DATA:-}/sst-2
[ -f "$sst/test.tsv" ] || { echo "skipped: no sst-2/test.tsv in \$PTM_DATA"; exit 0; }
out=${OUT:-$(mktemp -d)}
gzip -dc "$sst/train.tsv.gz" > "$out/train.tsv"
accuracy() { sed -n 's/.*accuracy[^0-9]*\([0-9.]*\).*/\1/p' | tail -1; }
for seed in ${1:-0 1 2}; do
    for model in bow bilstm; do
        build/ptm train models/$model.ptm --set header=true --data train="$out/train.tsv" --data test="$sst/dev.tsv" --seed "$seed" \
            --quiet --out "$out/$model.$seed" > /dev/null
        for split in dev test; do
            value=$(build/ptm eval models/$model.ptm --weights "$out/$model.$seed" --data train="$out/train.tsv" --data test="$sst/$split.tsv" | accuracy)
            echo "$model seed $seed $split $value"
        done
    done
done
