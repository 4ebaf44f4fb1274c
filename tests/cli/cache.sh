# Machine code kept from one command to the next: the same results, and never code that is damaged or that somebody else
# could have written.
. "$TESTS/cli/common"
gpt=$TESTS/../models/gpt.ptm
before="functions compiled before"

train() { status 0 "$PTM" train "$gpt" --set layers=1 --set width=16 --set heads=2 --set context=8 --steps 3 --out "$@"; }
compiles() { ! grep -q "$before" out || fail "code was taken from the cache"; }

train plain
compiles
export PTM_CACHE=$PWD/cache/ptm
train cold
compiles
ls "$PTM_CACHE"/*.code >entries || fail "nothing was kept"
train warm --threads 3
says "$before"
says "0.00 s of LLVM"
cmp plain/last.safetensors cold/last.safetensors
cmp plain/last.safetensors warm/last.safetensors
status 0 "$PTM" dump "$gpt" --stage asm
grep -q kernel_0 out || fail "a dump needs what is compiled for it"

flip() { printf '\377\376' | dd of="$1" bs=1 seek=$(($(wc -c <"$1") / 2)) conv=notrunc 2>dd; }

# What serves products is compiled once, whatever the model: another one finds it, and its kernels are its own.
own() { status 0 "$PTM" train "$gpt" --set layers=1 --set width=16 --set heads=2 --set context="$2" --steps 3 --blas none --out "$1"; }
kept=$PTM_CACHE
export PTM_CACHE=$PWD/cache/own
products() { grep -la "^product " "$PTM_CACHE"/*.code | xargs ls -i; }     # a new file has a number of its own
own own 8
compiles
products >before
[ "$(wc -l <before)" -gt 1 ] || fail "each function is not an entry: $(cat before)"
own wider 9
products >after
cmp before after || fail "products are compiled again"
! grep -q "0.00 s of LLVM" out || fail "other kernels are compiled"
for entry in "$PTM_CACHE"/*.code; do flip "$entry"; done
own mended 9
compiles
cmp wider/last.safetensors mended/last.safetensors
products >after
! cmp -s before after || fail "what is damaged is left"
export PTM_CACHE=$kept

# Damage: a byte in the middle, a file cut off, an empty one; mended by what is compiled instead.
damage() {
    name=$1
    shift
    for entry in $(cat entries); do "$@" "$entry"; done
    train "$name"
    compiles
    cmp plain/last.safetensors "$name/last.safetensors"
    train "$name-again"
    says "$before"
}
cut_off() { truncate -s -1 "$1"; }
empty() { : >"$1"; }
other_key() { printf 'x' | dd of="$1" bs=1 seek=560 conv=notrunc 2>dd; }
damage flipped flip
damage cut cut_off
damage emptied empty
damage other other_key

# What others may write is not run.
damage shared chmod g+w
chmod o+w "$PTM_CACHE"
train open
compiles
chmod o-w "$PTM_CACHE"

# Entries of one name at the same time.
rm -r cache
for k in 1 2 3 4; do
    "$PTM" train "$gpt" --set layers=1 --set width=16 --set heads=2 --set context=8 --steps 3 --out "beside$k" --quiet &
done
wait
for k in 1 2 3 4; do cmp plain/last.safetensors "beside$k/last.safetensors"; done
[ -z "$(ls "$PTM_CACHE" | grep part)" ] || fail "parts were left behind"

# No directory can be made: no cache, no word.
touch file
PTM_CACHE=$PWD/file/cache train nowhere
compiles
