# What a run meets outside of itself: a full disk, files that may not grow, limits of addresses, closed outputs, numbers that are no
# numbers, sizes that cannot be. Each ends with one clear message and status 1, or does not matter; what was written before stays whole.
. "$TESTS/cli/common"
model=$TESTS/../models/gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8"
awk 'BEGIN { for (i = 0; i < 400; i++) print "line " i " of a text that is long enough: " i * i }' >t.txt

# one STATUS TEXT: the output of the latest `status` is one line with TEXT in it.
one_line() {
    says "$1"
    [ "$(wc -l <out)" = 1 ] || fail "more than one line: $(cat out)"
}

# A run of 20 steps, stopped behind step 10.
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --out whole --quiet
begin_again() {
    rm -rf "$1"
    cp -r whole "$1"
    mv "$1/step-000010.safetensors" "$1/last.safetensors"
}

# Files may not grow beyond half of a checkpoint. (SIGXFSZ is not the end; nothing half written stays.)
begin_again limited
cp limited/last.safetensors before
blocks=$(($(wc -c <before) / 1024))
# (A build of type Coverage writes a profile too.)
status 1 sh -c 'ulimit -f '$blocks'; LLVM_PROFILE_FILE=/dev/null "$@"' sh "$PTM" train "$model" --out limited --resume --quiet
one_line "limited/last.safetensors: cannot write: File too large"
cmp before limited/last.safetensors
ls limited | grep part && fail "a part is left"
status 0 "$PTM" train "$model" --out limited --resume --quiet
cmp whole/last.safetensors limited/last.safetensors

# A full disk, where one can be mounted.
mkdir disk
if mount -t tmpfs -o size=400k none disk 2>/dev/null; then
    trap 'umount disk' EXIT
    begin_again disk/run
    head -c 1000000 /dev/zero >disk/filling 2>/dev/null || true
    status 1 "$PTM" train "$model" --out disk/run --resume --quiet
    one_line "No space left on device"
    cmp before disk/run/last.safetensors || fail "the checkpoint before has changed"
    # Room for the small files, and not for a checkpoint.
    head -c $(($(wc -c <disk/filling) - 24576)) /dev/zero >shorter
    cat shorter >disk/filling
    status 1 "$PTM" train "$model" --out disk/run --resume --quiet
    one_line "No space left on device"
    cmp before disk/run/last.safetensors || fail "the checkpoint before has changed"
    status 1 "$PTM" train "$model" $small --data text=t.txt --steps 4 --out disk/new --quiet
    one_line "No space left on device"
    rm disk/filling
    status 0 "$PTM" train "$model" --out disk/run --resume --quiet
    cmp whole/last.safetensors disk/run/last.safetensors
    umount disk
    trap - EXIT
fi
status 0 sh -c '"$@" >/dev/full' sh "$PTM" train "$model" $small --data text=t.txt --steps 2 --out full --quiet
status 1 sh -c '"$@" >/dev/full' sh "$PTM" train "$model" --out full --resume --steps 4
says "cannot write the output"

# A directory that cannot be written to.
echo >file
status 1 "$PTM" train "$model" $small --data text=t.txt --steps 2 --out file/run --quiet
one_line "Not a directory"
if [ "$(id -u)" != 0 ]; then
    begin_again locked
    chmod a-w locked
    status 1 "$PTM" train "$model" --out locked --resume --quiet
    one_line "Permission denied"
    chmod u+w locked
fi

# Closed outputs, and readers that go away: no message goes into a file of the run, and the run goes on.
status 0 sh -c '"$@" 2>&-' sh "$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --out silent --quiet
cmp whole/last.safetensors silent/last.safetensors
rm -r silent
status 0 sh -c '"$@" 2>&- <&-' sh "$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --out silent
cmp whole/last.safetensors silent/last.safetensors
grep -v '^{"step": ' silent/metrics.jsonl && fail "messages among the metrics"
"$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --out headed 2>/dev/null | head -n 1 >first
grep -q "ready after" first
cmp whole/last.safetensors headed/last.safetensors
"$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --out watched 2>&1 >/dev/null | head -n 1 >first
cmp whole/last.safetensors watched/last.safetensors

# Limits of addresses: works, or says why not. (With less than the libraries take to load, they end the process before ptm begins.)
if (ulimit -v 4000000 && "$PTM" --version >/dev/null); then
    for limit in 260 280 300 400 500 1000 4000; do
        got=0
        (ulimit -v $((limit * 1000)) && PTM_CACHE='' exec "$PTM" train "$model" $small --data text=t.txt --steps 20 --save-every 10 --quiet \
            --out "limit$limit") >out 2>&1 || got=$?
        case $got in
        0) cmp whole/last.safetensors "limit$limit/last.safetensors" ;;
        1) one_line memory ;;
        *) fail "status $got with ulimit -v ${limit}000: $(cat out)" ;;
        esac
    done
    [ $got = 0 ] || fail "4 GB of addresses are not enough: $(cat out)"
fi

# Sizes: said with their line before anything is allocated.
status 1 "$PTM" train "$model" --set width=1000000000 --data text=t.txt --quiet
says "wte.weight: f32[V, 1000000000] takes"
status 1 "$PTM" train "$TESTS/../models/charrnn.ptm" --set width=3000000 --data text=t.txt --quiet
says "this process can have"
status 1 "$PTM" train "$model" --set layers=100000 --set width=1024 --data text=t.txt --quiet
says "error"
status 2 "$PTM" train "$model" --steps -1 --data text=t.txt --quiet
status 0 "$PTM" train "$model" $small --steps 0 --data text=t.txt --out zero --quiet
status 0 "$PTM" train "$model" $small --steps 2 --save-every 0 --data text=t.txt --out zeros --quiet
status 1 "$PTM" train "$model" $small --dim Q=3 --steps 0 --data text=t.txt --quiet
one_line "has a dimension Q"
status 1 "$PTM" train "$model" $small --dim B=3 --steps 0 --data text=t.txt --quiet
one_line "--dim B=3: nothing takes its value from there"
status 0 "$PTM" train "$model" $small --dim B=12 --steps 0 --data text=t.txt --quiet

# Rates that are no numbers.
cp -r "$TESTS/../models/lib" .
for rate in nan inf 1e300; do
    sed "s/cosine(1e-3/cosine($rate/" "$model" >rate.ptm
    status 1 "$PTM" train rate.ptm $small --steps 4 --data text=t.txt --quiet
    one_line "the learning rate is"
done
