# The recurrent models of the gallery, small: each trains, resumes to the same bits, evaluates; those of text generate.
. "$TESTS/cli/common"
models=$TESTS/../models
awk 'BEGIN { for (i = 0; i < 300; i++) print "the " i % 7 " cats saw " i % 5 " dogs and went home" }' >t.txt
awk 'BEGIN { for (i = 0; i < 80; i++) { line = i % 2 ? "odd\t" : "even\t"; for (k = 0; k < i % 9 + 1; k++) line = line (i + k) % 13 " "
    print line } }' >t.tsv

# A rate that does not know how long the run is, and no evaluations on the way, whose best is part of a checkpoint.
cp -r "$models/lib" .
for name in lstm gru rnn charrnn bilstm; do
    sed 's/lr = [a-z]*(\([a-z0-9.-]*\)[^)]*)/lr = \1/; /^  evaluate/d' "$models/$name.ptm" >$name.ptm
done

# same_bits NAME FLAGS …: four steps at once, and two that go on as four.
same_bits() {
    name=$1
    shift
    rm -rf $name $name.parts
    status 0 "$PTM" train $name.ptm "$@" --steps 4 --out $name --quiet
    status 0 "$PTM" train $name.ptm "$@" --steps 2 --out $name.parts --quiet
    status 0 "$PTM" train $name.ptm --steps 4 --out $name.parts --resume --quiet
    says "warning: this run was begun for 2 steps, now it is 4"
    cmp $name/last.safetensors $name.parts/last.safetensors
    # shellcheck disable=SC2086
    status 0 "$PTM" eval "$models/$name.ptm" --weights $name ${more-}
    if grep nan out; then fail "$name: an evaluation is not a number"; fi
}

rows="--set width=8 --set span=6 --set rows=4"
# shellcheck disable=SC2086
for name in rnn gru lstm; do
    unit=chars
    [ $name = lstm ] && unit=words
    same_bits $name --data text=t.txt $rows --set unit=$unit --set held_rows=2
    status 0 "$PTM" generate "$models/$name.ptm" --weights $name --length 8 --prompt "the cats"
    says "the cats"
done
# shellcheck disable=SC2086
for cell in lstm gru rnn; do
    same_bits charrnn --data text=t.txt $rows --set cell=$cell
done
status 0 "$PTM" generate "$models/charrnn.ptm" --weights charrnn --length 8 --prompt "the cats"
more="--data test=t.tsv"
same_bits bilstm --data train=t.tsv --set units=4 --set words_wide=4

# Text given and its validation text forgotten; words the vocabulary lacks; what the least loss is counted over.
# shellcheck disable=SC2086
status 0 "$PTM" train "$models/lstm.ptm" $rows --set held_rows=2 --set split=false --data text=t.txt --steps 1
says 'warning: "text" is t.txt, but "valid" the built-in corpus: --data valid=FILE is missing'
says "nats a character"
says " tokens/s"
status 0 "$PTM" generate "$models/lstm.ptm" --weights lstm --length 60 --prompt "the zebra" --temperature 9
says 'warning: --prompt: "zebra" is not in the vocabulary and read as <unk>'
grep -q "^the zebra " out || fail "no space behind the prompt: $(cat out)"
if grep "</s>" out; then fail "the end of a line is printed as a mark"; fi
status 0 "$PTM" train bilstm.ptm --steps 1
says " rows/s"

# A scan is a loop whatever its length: what is fused around it may follow from the sizes, but ten times the length is no
# more code.
functions() {
    status 0 "$PTM" train "$models/lstm.ptm" --set unit=chars --set width=8 --set rows=4 --set held_rows=2 --set span=$1 --steps 0
    sed -n 's/^one step: .*groups, \([0-9]*\) distinct functions.*/\1/p' out
}
short=$(functions 35)
long=$(functions 350)
[ "$long" -le $((short + 4)) ] || fail "the length of a scan shows in its code: $short and $long functions"
