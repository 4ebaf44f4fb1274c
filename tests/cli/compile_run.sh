# A function of an object gives the bits of `ptm run`, allocates nothing, and says what is wrong with a call.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

gpt="$root/models/gpt.ptm --set layers=2 --set width=32 --set heads=2 --set context=16"
# shellcheck disable=SC2086
status 0 "$PTM" train $gpt --steps 3 --out gpt --quiet
lstm="$root/models/lstm.ptm --set unit=chars --set width=24 --set span=10"
# shellcheck disable=SC2086
status 0 "$PTM" train $lstm --steps 3 --out lstm --quiet

# one BLAS DIMS FLAGS DEFINES: builds model.o of $model with the weights of $run, calls it, compares with `ptm run`.
one() {
    # shellcheck disable=SC2086
    status 0 "$PTM" compile $model --embed-weights $run --entry logits --blas $1 --dim $2 $3 -o model.o
    libraries= undefined=$(nm -u model.o)
    if [ $1 = openblas ]; then libraries="$core_libraries"
    else [ -z "$undefined" ] || fail "undefined: $undefined"; fi
    # shellcheck disable=SC2086
    build_c infer -DLOGITS_B=2 -DLOGITS_T=16 $4 "$root/tests/objects/infer.c" model.o $libraries
    counter=$build/count_alloc.so
    rm -f counts
    # OpenBLAS's own threads take memory when they start, whenever that is.
    if [ -e "$counter" ]; then status 0 env OPENBLAS_NUM_THREADS=1 COUNT_ALLOC="$PWD/counts" LD_PRELOAD="$counter" ./infer
    else status 0 ./infer; fi
    [ ! -e counts ] || [ "$(sort -u counts | wc -l)" = 1 ] || fail "allocations in a call: $(tr '\n' ' ' <counts)"
    # shellcheck disable=SC2086
    status 0 "$PTM" run $model --weights $run --entry logits --input ids=ids.npy -o y.npy --threads 2 --blas $1
    tail -c "$(wc -c <out.raw)" y.npy >y.raw
    cmp y.raw out.raw || fail "the object and ptm run differ"
}
model=$gpt run=gpt
one none B=2,T=16 "" -DSETS=3
cp out.raw gpt.raw
# The sets with fused multiply-add agree, and so do other processors that have it.
[ ! -e avx2.raw ] || cmp avx2.raw out.raw || fail "AVX2 differs from the widest set"
one openblas B=2,T=16 "" "-DBLAS -DSETS=3"
# Several shapes behind one function: those of the second set but B.
one none "B=2,T=16 --dim T=1" "" "-DSETS=3 -DCASES"
cmp gpt.raw out.raw || fail "one case of several differs from a function of its own"
model=$lstm run=lstm
one none B=2,T=16 "" "-DSETS=3 -DSTATE"
one openblas B=2,T=16 "--cpu native" "-DBLAS -DSETS=1 -DSTATE"

command -v qemu-aarch64 >/dev/null || skip "aarch64, without qemu-aarch64"
command -v aarch64-linux-gnu-gcc >/dev/null || skip "aarch64, without aarch64-linux-gnu-gcc"
# shellcheck disable=SC2086
status 0 "$PTM" compile $gpt --embed-weights gpt --entry logits --dim B=2,T=16 --target aarch64-linux-gnu -o model.o
[ -z "$(nm -u model.o)" ] || fail "undefined for aarch64: $(nm -u model.o)"
status 0 aarch64-linux-gnu-gcc -static -O1 -I. -DLOGITS_B=2 -DLOGITS_T=16 -DSETS=1 -o arm "$root/tests/objects/infer.c" model.o
qemu-aarch64 ./arm || fail "the program for aarch64 fails"
cmp gpt.raw out.raw || fail "aarch64 differs"
