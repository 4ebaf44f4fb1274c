# Objects for other processors: what they need, and that they compute the same. qemu stands in for the machines.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"

cat >tiny.ptm <<'M'
fn f(x: f32[B, D], ids: i32[B]) -> f32[B, D] {
  y = softmax(gelu(x) + (table: embedding(ids, 7, D)))
  total = y[0]
  n = i64(0)
  ends = scan row in y carrying total, n until n == 4 {
    total = tanh(total * 0.5 + row)
    n = n + 1
    emit total
  }
  return ends * x + log(1 + exp(sin(x)))
}
M
compile="compile tiny.ptm --entry f --dim B=5,D=37 -o tiny.o"
tiny="$root/tests/objects/tiny.c"

# Nothing is missing in an object without products.
# shellcheck disable=SC2086
status 0 "$PTM" $compile
[ -z "$(nm -u tiny.o)" ] || fail "undefined: $(nm -u tiny.o)"
if [ "$(uname -m)" = x86_64 ]; then
    status 0 cc -O1 -DSETS -I. -static -o any "$tiny" tiny.o
    ./any >any.bits 2>any.set
    # shellcheck disable=SC2086
    status 0 "$PTM" $compile --cpu x86-64
    status 0 cc -O1 -I. -static -o baseline "$tiny" tiny.o
    ./baseline >baseline.bits
    # shellcheck disable=SC2086
    status 0 "$PTM" $compile --cpu x86-64-v3
    status 0 cc -O1 -I. -static -o avx2 "$tiny" tiny.o
    if command -v qemu-x86_64 >/dev/null; then
        # The choice at start: a processor of 2008 gets the first set, one of 2013 the second.
        qemu-x86_64 -cpu Nehalem ./any >old.bits 2>old.set || fail "on an old processor: $(cat old.set)"
        grep -q 'set 0' old.set || fail "an old processor uses $(cat old.set)"
        cmp old.bits baseline.bits || fail "the first set differs from code for x86-64 alone"
        qemu-x86_64 -cpu Haswell ./any >new.bits 2>new.set || fail "on a newer processor: $(cat new.set)"
        grep -q 'set 1' new.set || fail "a newer processor uses $(cat new.set)"
        qemu-x86_64 -cpu Haswell ./avx2 >avx2.bits 2>/dev/null || fail "code for x86-64-v3 does not run"
        cmp new.bits avx2.bits || fail "the second set differs from code for x86-64-v3 alone"
        grep -q 'set 0' any.set || cmp any.bits avx2.bits || fail "this processor's bits differ from those of AVX2"
    else
        echo "skipped: old processors, without qemu-x86_64"
    fi
fi

command -v qemu-aarch64 >/dev/null || skip "aarch64, without qemu-aarch64"
command -v aarch64-linux-gnu-gcc >/dev/null || skip "aarch64, without aarch64-linux-gnu-gcc"
# shellcheck disable=SC2086
status 0 "$PTM" $compile --target aarch64-linux-gnu
[ -z "$(nm -u tiny.o)" ] || fail "undefined: $(nm -u tiny.o)"
status 0 aarch64-linux-gnu-gcc -O1 -I. -static -o arm "$tiny" tiny.o
qemu-aarch64 ./arm >arm.bits || fail "the program for aarch64 fails"
[ ! -e avx2.bits ] || cmp arm.bits avx2.bits || fail "aarch64 and AVX2 differ"
# shellcheck disable=SC2086
status 0 "$PTM" $compile --target aarch64-linux-gnu --cpu cortex-a72 --features +crc
status 0 aarch64-linux-gnu-gcc -O1 -I. -static -o arm "$tiny" tiny.o
qemu-aarch64 ./arm >a72.bits || fail "the program for one processor of aarch64 fails"
cmp arm.bits a72.bits || fail "one processor of aarch64 differs from all"
