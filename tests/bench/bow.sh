#!/bin/sh
# models/bow.ptm on SST-2 against scikit-learn's logistic regression on the same counts of the same words.
# usage: PTM_DATA=DIR tests/bench/bow.sh [PTM]      DIR/sst-2 holds train.tsv.gz, dev.tsv, test.tsv; needs python3 (or $PYTHON) with sklearn.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import sklearn' 2>/dev/null || python=/usr/bin/python3       # the system's, where Debian's package is
ptm=${1:-build/ptm}
here=$(dirname "$0")
sst=${PTM_DATA:-}/sst-2
[ -f "$sst/train.tsv.gz" ] || { echo "skipped: PTM_DATA/sst-2 is not there"; exit 0; }
"$python" -c 'import sklearn' 2>/dev/null || { echo "skipped: python3 has no sklearn (Debian: python3-sklearn)"; exit 0; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gunzip -c "$sst/train.tsv.gz" > "$scratch/train.tsv"
for split in dev test; do
    "$ptm" train "$here/../../models/bow.ptm" --set header=true --data train="$scratch/train.tsv" --data test="$sst/$split.tsv" \
        --quiet --out "$scratch/$split"
    echo "ptm           $split $(tail -1 "$scratch/$split/metrics.jsonl" | sed 's/.*valid_accuracy": \([0-9.]*\).*/\1/')"
done
"$python" - "$scratch/train.tsv" "$sst/dev.tsv" "$sst/test.tsv" <<'P'
import sys
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

def read(path):
    rows = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")][1:]
    return [r[1] for r in rows], [r[0] for r in rows]

texts, labels = read(sys.argv[1])
words = CountVectorizer(token_pattern=r"\S+", lowercase=False)
model = LogisticRegression(C=1.0, max_iter=1000).fit(words.fit_transform(texts), labels)
for name, path in [("dev", sys.argv[2]), ("test", sys.argv[3])]:
    texts, labels = read(path)
    print(f"scikit-learn  {name} {model.score(words.transform(texts), labels):.4f}")
P
