# Where the time goes: every kernel of a step is in the table, the trace and the picture. What the host can do.
. "$TESTS/cli/common"
gpt=$TESTS/../models/gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8"

status 0 "$PTM" profile "$gpt" $small --steps 3 --trace trace.json --svg step.svg
says "gpt.ptm, training step: "
says "tokens/s (median of 3"
says "f32 multiply-adds, GFLOP/s"
says "contract einsum  $TESTS/../models/lib/transformer.ptm:"
kernels=$(sed -n 's/.* ms in \([0-9]*\) kernels$/\1/p' out)
[ "$kernels" -gt 20 ] || fail "a step has only '$kernels' kernels"
[ "$(grep -c '"ph":"X"' trace.json)" = "$kernels" ] || fail "the trace does not have $kernels events"
head -c 1 trace.json | grep -q '{' || fail "the trace is no JSON object"
[ "$(grep -c '<rect' step.svg)" -gt "$kernels" ] || fail "the picture lacks kernels or memory"
[ "$(grep -c '<rect' step.svg)" = "$(grep -c '</title></rect>' step.svg)" ] || fail "the picture has open boxes"
tail -n 1 step.svg | grep -q '</svg>' || fail "the picture does not end"

# What comes out of the gallery is named from here.
cp "$gpt" copy.ptm
status 0 "$PTM" profile copy.ptm $small --steps 1
root=$(cd "$(dirname "$PTM")/.." && pwd)
says "contract einsum  $root/models/lib/transformer.ptm:"
(cd "$root" && "$PTM" profile "$OLDPWD/copy.ptm" $small --steps 1) >out
says "contract einsum  models/lib/transformer.ptm:"

# Rows in loops count each iteration; programs of shards and of the optimizer are there too.
status 0 "$PTM" profile "$TESTS/../models/lstm.ptm" --set unit=chars --set width=8 --set span=5 --steps 1
says "lstm.ptm, training step"
grep -q '^ .* 10  .*map add mul tanh  ' out || fail "two layers of five iterations are not ten kernels"

# An entry, on drawn numbers.
status 0 "$PTM" profile "$gpt" $small --entry logits --dim B=2 --dim T=4 --steps 2
says "gpt.ptm, logits: "
status 1 "$PTM" profile "$gpt" $small --entry logits --steps 2
says "--dim B=N --dim T=N"
status 1 "$PTM" profile "$gpt" $small --steps 1 --trace missing/trace.json
says "missing/trace.json: No such file or directory"
[ -c /dev/full ] && { status 1 "$PTM" profile "$gpt" $small --steps 1 --svg /dev/full; says "/dev/full: "; }

status 0 "$PTM" bench
says "product 256 x 768 x 3072, GFLOP/s"
status 0 "$PTM" bench "$gpt" $small --steps 2 --threads 1
says "training step: "
says "of the time"
grep -q "^arena: [0-9.]* MiB$" out || fail "the arena is not said"
status 1 "$PTM" bench missing.ptm
if grep -q avx512f /proc/cpuinfo 2>cpu; then
    OPENBLAS_CORETYPE=Haswell "$PTM" bench >out 2>&1
    says "warning: OpenBLAS uses kernels for Haswell, narrower than the vectors of this processor: OPENBLAS_CORETYPE"
fi
