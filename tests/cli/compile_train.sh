# Training through an object gives the bits of `ptm train`: 1000 steps of gpt.ptm with own products; steps of lstm.ptm, over
# the end of a pass, with states, with OpenBLAS, with and without a pool.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

small="--set layers=1 --set width=16 --set heads=2 --set context=8 --set rows=4 --steps 1000"
# shellcheck disable=SC2086
status 0 "$PTM" train "$root/models/gpt.ptm" $small --blas none --threads 2 --out gpt --quiet
# shellcheck disable=SC2086
status 0 "$PTM" compile "$root/models/gpt.ptm" $small --entry train -o model.o
# shellcheck disable=SC2086
build_c train -DLENGTH=9 -DROWS=4 "$root/tests/objects/train.c" model.o $train_libraries
[ -z "$(nm -u model.o)" ] || fail "undefined: $(nm -u model.o)"
status 0 ./train gpt/last.safetensors 1000
says "1000 steps: loss "

small="--set width=8 --set layers=1 --set span=30 --set rows=300 --set held_rows=10 --set unit=chars --steps 120"
# shellcheck disable=SC2086
status 0 "$PTM" train "$root/models/lstm.ptm" $small --blas openblas --threads 2 --out lstm --quiet
for threads in 1 pool; do
    # shellcheck disable=SC2086
    status 0 "$PTM" compile "$root/models/lstm.ptm" $small --blas openblas --entry train --threads $threads -o model.o
    define=-DONE
    [ $threads = pool ] && define=-DPOOL
    # shellcheck disable=SC2086
    build_c train $define -DLENGTH=31 -DROWS=300 -DSTREAMS "$root/tests/objects/train.c" model.o $train_libraries
    status 0 ./train lstm/last.safetensors 120
done

# A step of three batches: their gradients are added in the same tree, each with random numbers of its own.
mkdir lib
cp "$root/models/lib/transformer.ptm" lib/
sed 's/^  clip     1.0/&\n  accumulate 3/' "$root/models/gpt.ptm" >gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8 --set rows=4 --set drop=0.1 --steps 40"
# shellcheck disable=SC2086
status 0 "$PTM" train gpt.ptm $small --blas none --threads 2 --out sharded --quiet
# shellcheck disable=SC2086
status 0 "$PTM" compile gpt.ptm $small --entry train -o model.o
# shellcheck disable=SC2086
build_c train -DSHARDS=3 -DLENGTH=9 -DROWS=4 "$root/tests/objects/train.c" model.o $train_libraries
status 0 ./train sharded/last.safetensors 40

# Stages draw numbers of their own, and have states of their own; a rate that follows evaluations asks for what they gave.
sed -e 's/^  clip     1.0/&\n  stage one { steps 30 }\n  stage two {\n    freeze "wpe.**"\n    steps 30\n  }/' -e '/^  steps /d' \
    "$root/models/gpt.ptm" >gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8 --set rows=4 --set drop=0.1"
# shellcheck disable=SC2086
status 0 "$PTM" train gpt.ptm $small --blas none --threads 2 --out stages --quiet
# shellcheck disable=SC2086
status 1 "$PTM" compile gpt.ptm $small --entry train -o model.o
says "--entry train: no such stage"
says "there is train.one, train.two"
# shellcheck disable=SC2086
status 0 "$PTM" compile gpt.ptm $small --entry train.two,train.one -o model.o
# shellcheck disable=SC2086
build_c train -DSTAGES -DLENGTH=9 -DROWS=4 "$root/tests/objects/train.c" model.o $train_libraries
status 0 ./train stages/last.safetensors 30
