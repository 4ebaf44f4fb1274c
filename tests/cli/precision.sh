# --precision bf16: products of rounded operands train as well, with the same bits for any number of threads, whoever serves f32
# products; a resumed run keeps it.
. "$TESTS/cli/common"
. "$TESTS/cli/short_common"

# Ten steps of operands with 8 bits: sums of many errors of 2^-9 each, most of which cancel.
alike brain "--precision bf16" whole "" "d * d < 1e-5 * b * b"

# run.json remembers it.
cp -r gpt.brain1 run
status 0 "$PTM" train "$models/gpt.ptm" --out run --resume --steps 12 --quiet
status 0 "$PTM" train "$models/gpt.ptm" --out straight --precision bf16 --steps 12 --quiet
cmp run/last.safetensors straight/last.safetensors
grep -q '"precision": "bf16"' run/run.json || fail "no precision in run.json"
status 1 "$PTM" train "$models/gpt.ptm" --out run --resume --precision f32 --quiet
says "--precision f32, but this run was begun with --precision bf16"
status 1 "$PTM" train "$models/gpt.ptm" --out gpt.whole --resume --precision bf16 --quiet
says "--precision bf16, but this run was begun without --precision bf16"
status 2 "$PTM" train "$models/gpt.ptm" --precision f16
says "--precision wants one of f32|bf16, not \"f16\""
status 1 "$PTM" dump "$models/gpt.ptm" --stage precision
says "it wants --precision bf16"

# Whatever reads the weights computes so too, and an object gives the bits of the command.
status 0 "$PTM" eval "$models/gpt.ptm" --weights run --precision bf16
status 0 "$PTM" generate "$models/gpt.ptm" --weights run --precision bf16 --length 20
status 0 "$PTM" dump "$models/gpt.ptm" --stage asm --precision bf16
says "product_bf16_of_f32_f32_block"
status 0 "$PTM" compile "$models/gpt.ptm" --entry logits,train --dim B=1,T=16 --precision bf16 -o gpt.o
status 0 nm -u gpt.o
[ -s out ] && fail "an object that stands alone wants: $(cat out)"

# Sets of instructions with and without dot products of bf16 give the same bits.
cat >tiny.ptm <<'M'
fn f(x: f32[B, D], ids: i32[B]) -> f32[B, D] { return (out: linear(x, D)) + (table: embedding(ids, 7, D)) }
M
compile="compile tiny.ptm --entry f --dim B=5,D=37 --precision bf16 -o tiny.o"
# shellcheck disable=SC2086
status 0 "$PTM" $compile --target aarch64-linux-gnu
[ -z "$(nm -u tiny.o)" ] || fail "undefined: $(nm -u tiny.o)"
[ "$(uname -m)" = x86_64 ] && grep -qw fma /proc/cpuinfo || exit 0
for cpu in native x86-64-v3 any; do
    flags="--cpu $cpu"
    [ $cpu = any ] && flags=
    # shellcheck disable=SC2086
    status 0 "$PTM" $compile $flags
    status 0 cc -O1 -I. -static -o $cpu "$TESTS/objects/tiny.c" tiny.o
    ./$cpu >$cpu.bits || fail "the program for $cpu fails"
    cmp native.bits $cpu.bits
done
