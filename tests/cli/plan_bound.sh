# Every program of the gallery, training step and evaluation, is planned within 5 % of its lower bound.
. "$TESTS/cli/common"
for model in "$TESTS"/../models/*.ptm; do
    grep -q '^ *minimize' "$model" || continue
    data_of "$model"
    # shellcheck disable=SC2086
    status 0 "$PTM" train "$model" $data --steps 0
    says "lower bound"
    sed -n 's/.*(efficiency \([0-9.]*\) %.*/\1/p' out >efficiency
    [ "$(wc -l <efficiency)" = "$(grep -cE '^    (step|evaluations) ' out)" ] || fail "$model: an efficiency is missing: $(cat out)"
    awk -v model="$model" '$1 < 95 { print model ": " $1 " %"; bad = 1 } END { exit bad }' efficiency || fail "$(cat out)"
done
