#!/bin/sh
# models/bilstm.ptm and models/bow.ptm on one set of labelled sentences: accuracy after the last epoch, three seeds.
# usage: PTM_DATA=DIR tests/bench/bilstm.sh [trec|sst-2 [SEEDS]]
#        DIR/sentence-cls has TREC.train.all and TREC.test.all; DIR/sst-2 has train.tsv.gz and test.tsv
set -eu
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
data=${PTM_DATA:-} set=${1:-trec}
out=${OUT:-$(mktemp -d)}
case $set in
trec)
    [ -f "$data/sentence-cls/TREC.test.all" ] || { echo "skipped: no sentence-cls/TREC.test.all in \$PTM_DATA"; exit 0; }
    for part in train test; do
        iconv -f latin1 -t utf8 "$data/sentence-cls/TREC.$part.all" | sed 's/ /\t/' > "$out/$part.tsv"
    done
    header=false passes=12
    ;;
sst-2)
    [ -f "$data/sst-2/test.tsv" ] || { echo "skipped: no sst-2/test.tsv in \$PTM_DATA"; exit 0; }
    gzip -dc "$data/sst-2/train.tsv.gz" > "$out/train.tsv"
    cp "$data/sst-2/test.tsv" "$out/test.tsv"
    header=true passes=6
    ;;
esac
train() {                                # MODEL SEED FLAGS ..
    model=$1 seed=$2 run=$out/$1.$2
    shift 2
    build/ptm train "models/$model.ptm" --set header=$header --data train="$out/train.tsv" --data test="$out/test.tsv" \
        --seed "$seed" --quiet --out "$run" "$@" > /dev/null
    echo "$set $model seed $seed: $(tail -1 "$run/metrics.jsonl" | sed 's/.*valid_accuracy": \([0-9.]*\).*/\1/')"
}
for seed in ${2:-0 1 2}; do
    train bow "$seed"
    train bilstm "$seed" --set passes=$passes
done
