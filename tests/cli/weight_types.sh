# --weight-type: matrices that are only read, in bf16 or as whole numbers with scales.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

gpt="$root/models/gpt.ptm --set layers=2 --set width=64 --set heads=2 --set context=32"
# shellcheck disable=SC2086
status 0 "$PTM" train $gpt --steps 200 --out run --quiet

# What the types cost: bf16 less than 0.001 of a nat, i8 less than 0.01.
for type in f32 bf16 i8; do
    # shellcheck disable=SC2086
    status 0 "$PTM" eval $gpt --weights run --weight-type $type --json
    sed -n 's/.*"loss": \([0-9.]*\).*/\1/p' out >$type.loss
done
near() { awk -v x="$(cat f32.loss)" -v y="$(cat "$1".loss)" -v by="$2" 'BEGIN { d = x - y; exit !(d < by && -d < by && d != 0) }'; }
near bf16 0.001 || fail "bf16: $(cat f32.loss bf16.loss)"
near i8 0.01 || fail "i8: $(cat f32.loss i8.loss)"

# logits TYPE FILE FLAGS: the logits of a text, as an array.
logits() {
    # shellcheck disable=SC2086
    status 0 "$PTM" run $gpt --weights $3 --entry logits --text "it was the best of times" --blas none --weight-type $1 \
        --threads 2 -o $2
}
gpt="$root/models/gpt.ptm"               # the run knows the rest
logits f32 f32.npy run
logits bf16 bf16.npy run
logits i8 i8.npy run
cmp -s f32.npy bf16.npy && fail "bf16 changes nothing"

# bf16 is f32 arithmetic on rounded weights.
cat >names.ptm <<'MODEL'
weights own { }
MODEL
cat "$gpt" names.ptm >own.ptm
ln -sfn "$root/models/lib" lib
# shellcheck disable=SC2086
status 0 "$PTM" weights own.ptm --set layers=2 --set width=64 --set heads=2 --set context=32 --weights run --to own \
    --dtype bf16 -o rounded.safetensors
gpt="own.ptm --set layers=2 --set width=64 --set heads=2 --set context=32"
logits f32 rounded.npy rounded.safetensors
# Vectors stay f32 in one and are rounded in the other: here they are all ones.
logits bf16 again.npy rounded.safetensors
cmp rounded.npy again.npy
logits i8 whole.npy rounded.safetensors

# The same bits with any number of threads, read in two layouts.
gpt="$root/models/gpt.ptm"
for type in bf16 i8; do
    for threads in 1 3 8; do
        status 0 "$PTM" run $gpt --weights run --entry logits --text "it was the best of times" --blas none \
            --weight-type $type --threads $threads -o y.npy
        cmp y.npy $type.npy || fail "$type: $threads threads"
    done
    status 0 "$PTM" generate $gpt --weights run --length 40 --prompt "the " --weight-type $type --blas none --threads 1
    cp out one
    status 0 "$PTM" generate $gpt --weights run --length 40 --prompt "the " --weight-type $type --blas none --threads 3
    cmp one out
done

# An object holds what ptm reads: the header says the types, and the function gives the bits of `ptm run`.
for type in bf16 i8; do
    status 0 "$PTM" compile $gpt --embed-weights run --weight-type $type --entry logits --dim B=2,T=16 -o model.o
    status 0 grep -c "$type" model.h
    build_c infer -DLOGITS_B=2 -DLOGITS_T=16 -DSETS=3 "$root/tests/objects/infer.c" model.o
    status 0 ./infer
    status 0 "$PTM" run $gpt --weights run --weight-type $type --entry logits --input ids=ids.npy -o y.npy --blas none
    tail -c "$(wc -c <out.raw)" y.npy >y.raw
    cmp y.raw out.raw || fail "$type: the object and ptm run differ"
    sed -n 's/^#define MODEL_PARAM_BYTES //p' model.h >$type.size
done
awk -v x="$(cat i8.size)" -v y="$(cat bf16.size)" 'BEGIN { exit !(x > 0.5 * y && x < 0.6 * y) }' || fail "$(cat bf16.size i8.size)"

# Parameters that the caller owns lie there in these types too.
status 0 "$PTM" compile $gpt --weights run --weight-type i8 --entry logits --dim B=1,T=4 -o own.o
status 0 grep -F "wte.weight.scale" own.h
status 0 grep -F "i8[" own.h

# Without weights they are drawn and then rounded.
status 0 "$PTM" bench $gpt --entry logits --dim B=1 --dim T=4 --steps 1 --weight-type i8
status 0 "$PTM" dump $gpt --entry logits --dim B=1 --dim T=4 --weight-type bf16 --stage plan
says "bf16["

# Only where they are read.
status 2 "$PTM" train $gpt --weight-type i8
says "there is no flag --weight-type here; it belongs to"
status 2 "$PTM" bench $gpt --weight-type i8
says "a training step writes"
status 2 "$PTM" profile $gpt --weight-type i8
says "a training step writes"
status 2 "$PTM" dump $gpt --weight-type i8
says "a training step writes"
status 2 "$PTM" compile $gpt --entry logits,train --dim B=1,T=4 --weight-type i8 -o x.o
says "a training step writes"
status 2 "$PTM" eval $gpt --weights run --weight-type i4
says "--weight-type wants one of f32|bf16|i8, not \"i4\""
status 1 "$PTM" dump $gpt --entry logits --dim B=1 --dim T=4 --stage narrow
says "it wants --weight-type bf16 or i8"
