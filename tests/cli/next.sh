# Generating with `next`: the prompt, then one token at a time; the states know what was read.
. "$TESTS/cli/common"

# What next says of a token follows from that token alone: without states the prompt's last one decides.
cat >m.ptm <<'MODEL'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param w: f32[V, V] = normal(0, 1)
fn next(ids: i32[B, T]) -> f32[B, V] { return w[ids[:, -1]] }
fn wide(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 2
}
MODEL
status 0 "$PTM" train m.ptm --out run --quiet
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt e --seed 3
tail -c +2 out >one
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "the e" --seed 3
tail -c +6 out >two
cmp one two
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "" --temperature 0
cp out one
status 0 "$PTM" generate m.ptm --weights run --length 30 --prompt "" --temperature 0 --threads 1
cmp one out
refused() {
    sed "s/^fn next.*/$1/" m.ptm >other.ptm
    status 1 "$PTM" generate other.ptm --weights run --length 5
    says "$2"
}
refused 'fn next(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }' "next must be one f32[B, V] with V ="
refused 'fn next(ids: i32[B, T]) -> i32[B, V] { return i32(w[ids[:, -1]]) }' "next must be one f32[B, V]"
refused 'fn after(ids: i32[B, T]) -> f32[B, V] { return w[ids[:, -1]] }' "it has no \`fn next(ids: i32[B, T]) -> f32[B, V]\`"

# gpt.ptm reads every token once. While its context of 16 has room, that is what logits of the window say.
models=$TESTS/../models
small="--set context=16 --set width=16 --set layers=2 --set heads=2"
status 0 "$PTM" train "$models/gpt.ptm" $small --steps 200 --out gpt --quiet
sed 's/^fn next/fn other/' "$models/gpt.ptm" >window.ptm
cp -r "$models/lib" .
continued() { status 0 "$PTM" generate "$1" $small --weights gpt --temperature 0 --prompt "$2" --length $3; }
continued "$models/gpt.ptm" "the " 13
mv out next
continued window.ptm "the " 13
cmp next out

# When it is full, it goes on from the last half of it: the 17 characters so far end in the 8 that are read again.
tail -c 9 next | head -c 8 >half
continued "$models/gpt.ptm" "the " 22
tail -c +18 out >next
continued "$models/gpt.ptm" "$(cat half)" 9
tail -c +9 out >half
cmp next half
# A prompt that is longer than the context is read as its end.
continued "$models/gpt.ptm" "which of the two is it and where" 1
tail -c 2 out >long
continued "$models/gpt.ptm" " is it and where" 1
tail -c 2 out | cmp - long

# With products of our own texts are made together, and none differs from what it is alone: not where prompts are longer
# than others, where the context is begun anew, where a stop string ends one early, nor with other samples beside it.
together() { status 0 "$PTM" generate "$models/gpt.ptm" $small --weights gpt --seed 7 --length 40 --stop gu --blas none "$@"; }
together --prompt "the big dog " --prompt a --prompt "we " --count 3 --stats
says "8 texts together"
grep -v "^prompt: \|^token: " out >all
number=0
for prompt in "the big dog " a "we "; do
    number=$((number + 1))
    together --prompt "$prompt"
    awk -v title="==> prompt $number, sample 1 <==" 'on; $0 == title { on = 1 }' all | head -c "$(stat -c %s out)" | cmp - out
done
