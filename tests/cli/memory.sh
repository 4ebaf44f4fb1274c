# --memory SIZE: values are made again until the arena fits, with the same bits; or what stands in the way is said, and the
# least that is possible.
. "$TESTS/cli/common"
mkdir lib
cp "$TESTS"/../models/lib/*.ptm lib/
cp "$TESTS/../models/gpt.ptm" "$TESTS/../models/lstm.ptm" .
bytes() { sed -n "s/^ *$1  *\([0-9.]* [A-Za-z]*\).*/\1/p" out | head -1 | awk '{ print int($1 * ($2 == "KiB" ? 1024 : $2 == "MiB" ? 1048576 : 1)) }'; }

# compare MODEL SHARE FLAGS…: the step's work less this share is enough, and nothing else changes.
compare() {
    model=$1 share=$2
    shift 2
    rm -rf whole less
    status 0 "$PTM" train "$model" "$@" --steps 4 --out whole --threads 3      # each thread has scratch of its own
    grep -q "run again" out && fail "$model: without a limit nothing is made again: $(cat out)"
    size=$(awk -v total="$(bytes total)" -v step="$(bytes step)" -v share="$share" 'BEGIN { print int(total - share * step) }')
    status 0 "$PTM" train "$model" "$@" --steps 4 --out less --memory "$size"
    says "run again"
    [ "$(bytes total)" -le "$((size + 60000))" ] || fail "$model: more than $size: $(cat out)"
    cmp whole/last.safetensors less/last.safetensors
    for threads in 1 3; do
        status 0 "$PTM" train "$model" "$@" --steps 4 --out "less$threads" --memory "$size" --threads $threads --quiet
        cmp whole/last.safetensors "less$threads/last.safetensors"
        rm -r "less$threads"
    done
}
compare gpt.ptm 0.4 --set layers=3 --set width=32 --set heads=2 --set drop=0.1
compare lstm.ptm 0.3 --set unit=chars --set width=24 --set drop=0.2

# Too little: the least is said, and just that is enough.
small="--set layers=2 --set width=32 --set heads=2"
# shellcheck disable=SC2086
status 1 "$PTM" train gpt.ptm $small --memory 300K
says "the arena does not fit into 300.0 KiB: the least is "
says "largest tensors alive at the peak"
says "lib/transformer.ptm:"
least=$(sed -n 's/.*(--memory \([0-9]*\)).*/\1/p' out)
# shellcheck disable=SC2086
status 0 "$PTM" train gpt.ptm $small --memory "$least" --steps 1
# shellcheck disable=SC2086
status 1 "$PTM" train gpt.ptm $small --memory $((least - 1)) --steps 1
says "(--memory $least)"

# A dump shows what runs again.
# shellcheck disable=SC2086
status 1 "$PTM" dump gpt.ptm $small --after recompute
says "it wants --memory SIZE"
# shellcheck disable=SC2086
status 0 "$PTM" dump gpt.ptm $small --after recompute --memory 400K
grep -q '^kernel' out || fail "no kernels: $(cat out)"

# Sizes.
status 2 "$PTM" train gpt.ptm --memory 3X
says '--memory wants a size such as 600M or 1.5G, not "3X"'
status 2 "$PTM" train gpt.ptm --memory -3
status 2 "$PTM" train gpt.ptm --memory 0.5
