# Own products, the default, train as the library's do, with the same bits for any number of threads, in their memory, and a resumed run
# keeps whichever it was begun with.
. "$TESTS/cli/common"
. "$TESTS/cli/short_common"

for model in gpt lstm; do
    about $model
    for threads in $count; do
        train own$threads --blas none --threads $threads
        cmp $model.own1/last.safetensors $model.own$threads/last.safetensors
    done
    train library --blas openblas
    cmp -s $model.own1/last.safetensors $model.library/last.safetensors && fail "the flag changes nothing"
    # Ten steps: only rounding, which the optimizer's divisions spread.
    awk -v a="$(loss $model.own1 10)" -v b="$(loss $model.library 10)" 'BEGIN { d = a - b; exit !(a > 0 && d * d < 1e-6) }' ||
        fail "$model: losses $(loss $model.own1 10) and $(loss $model.library 10)"
    # shellcheck disable=SC2086
    status 0 "$PTM" train "$models/$model.ptm" $flags --steps 0 --quiet --prove-memory --blas none
    says "proved: training: "
done

# run.json remembers whose products they were.
cp -r gpt.own1 run
status 0 "$PTM" train "$models/gpt.ptm" --out run --resume --steps 12 --quiet
status 0 "$PTM" train "$models/gpt.ptm" --out whole --blas none --steps 12 --quiet
grep -q '"blas": "none"' run/run.json || fail "no blas in run.json"
status 1 "$PTM" train "$models/gpt.ptm" --out run --resume --blas openblas --quiet
says "--blas openblas, but this run was begun with --blas none"
status 1 "$PTM" train "$models/gpt.ptm" --out gpt.library --resume --blas none --quiet
says "--blas none, but this run was begun with --blas openblas"

status 0 "$PTM" eval "$models/gpt.ptm" --weights run --blas none
status 0 "$PTM" generate "$models/gpt.ptm" --weights run --blas none --length 20
status 0 "$PTM" gradcheck "$models/gpt.ptm" --blas none
status 0 "$PTM" dump "$models/gpt.ptm" --stage asm --blas none
says "product_f32_block"
status 2 "$PTM" train "$models/gpt.ptm" --blas mkl
says "--blas wants one of none|openblas, not \"mkl\""

# An object with own products needs nothing, not even to train.
status 0 "$PTM" compile "$models/gpt.ptm" --entry logits,train --dim B=1,T=16 --blas none -o gpt.o
status 0 nm -u gpt.o
[ -s out ] && fail "an object that stands alone wants: $(cat out)"
true
