# Own products, the default, train as the library's do, with the same bits for any number of threads, in their memory, and a resumed run
# keeps whichever it was begun with.
. "$TESTS/cli/common"
. "$TESTS/cli/short_common"

# Ten steps: only rounding, which the optimizer's divisions spread.
alike own "--blas none" library "--blas openblas" "d * d < 1e-6"

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
