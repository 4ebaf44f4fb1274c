# A function of an object gives the bits of `ptm run`, allocates nothing, and says what is wrong with a call.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

gpt="$root/models/gpt.ptm --set layers=2 --set width=32 --set heads=2 --set context=16"
# shellcheck disable=SC2086
status 0 "$PTM" train $gpt --steps 3 --out gpt --quiet
lstm="$root/models/lstm.ptm --set unit=chars --set width=24 --set span=10"
# shellcheck disable=SC2086
status 0 "$PTM" train $lstm --steps 3 --out lstm --quiet

# one DIMS FLAGS: builds model.o of $entry with $options, runs it, compares with `ptm run`.
one() {
    # shellcheck disable=SC2086
    status 0 "$PTM" compile $model --embed-weights $run --entry logits --dim $1 $2 -o model.o
    # shellcheck disable=SC2086
    build_c infer -DLOGITS_B=2 -DLOGITS_T=16 $3 "$root/tests/objects/infer.c" model.o "$core" -lopenblas -lm
    counter=$build/count_alloc.so
    rm -f counts
    # OpenBLAS's own threads take memory when they start, whenever that is.
    if [ -e "$counter" ]; then status 0 env OPENBLAS_NUM_THREADS=1 COUNT_ALLOC="$PWD/counts" LD_PRELOAD="$counter" ./infer
    else status 0 ./infer; fi
    [ ! -e counts ] || [ "$(sort -u counts | wc -l)" = 1 ] || fail "allocations in a call: $(tr '\n' ' ' <counts)"
    # shellcheck disable=SC2086
    cp out message
    status 0 "$PTM" run $model --weights $run --entry logits --input ids=ids.npy -o y.npy --threads 2
    tail -c "$(wc -c <out.raw)" y.npy >y.raw
    cmp y.raw out.raw || fail "the object and ptm run differ"
    cp message out
}
model=$gpt run=gpt
one B=2,T=16 "" "-DBLAS -DSETS=3"
says " sets"
model=$lstm run=lstm
one B=2,T=16 "" "-DBLAS -DSETS=3 -DSTATE"
one B=2,T=16 "--cpu native" "-DBLAS -DSETS=1 -DSTATE"
# Several shapes behind one function: those of the second set but B.
model=$gpt run=gpt
one "B=2,T=16 --dim T=1" "" "-DBLAS -DSETS=3 -DCASES"
