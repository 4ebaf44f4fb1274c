# How generate chooses: order of the settings, ties, penalties; stop strings; what a text depends on.
. "$TESTS/cli/common"

# model NEXT: four letters, of which the next one has these logits; `last` is the letter read last.
model() {
    cat >m.ptm <<MODEL
const power = 1.0
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 3, batch = 2)
}
param w: f32[V] = 0
fn next(ids: i32[B, T]) -> f32[B, V] {
  last = ids[:, -1]
  return ($1) * power + w
}
fn loss(ids: i32[B, T+1]) -> f32 { return mean(w[ids]) }
train {
  minimize loss(batch)
  using sgd(lr = 0.0)
  steps 1
}
MODEL
    rm -rf run
    status 0 "$PTM" train m.ptm --data text=text --out run --quiet
}
# text FLAGS: what is generated behind `a`.
text() { status 0 "$PTM" generate m.ptm --weights run --prompt a "$@"; tail -c +2 out; }
is() {
    right=$1
    shift
    found=$(text "$@")
    [ "$found" = "$right" ] || fail "$*: \"$found\" instead of \"$right\""
}
# letters WANTED FLAGS: which letters come up in 400 draws, in order.
letters() {
    right=$1
    shift
    found=$(text --length 400 "$@" | fold -w 1 | sort -u | tr -d '\n')
    [ "$found" = "$right" ] || fail "$*: the letters \"$found\" instead of \"$right\""
}
printf 'abcdabcdabcdabcd' >text

# Shares 0.4, 0.3, 0.2, 0.1.
model 'log(expand(0.4 - 0.1 * f32(iota(V)), [B, V])) + 0 * f32(last)[:, _]'
letters abcd
letters ab --top-k 2
letters a --top-k 1
letters a --top-p 0.35
letters ab --top-p 0.65
letters abc --top-p 0.75
letters ab --top-p 0.75 --top-k 3                   # of 4/9, 3/9, 2/9
letters a --top-p 0.000001
letters abcd --top-p 1 --top-k 9
is aaaaaaaa --temperature 0 --length 8
is aaaaaaaa --temperature 0.001 --length 8
# 4000 draws: each share within 4 standard deviations, at most 0.031.
text --length 4000 --seed 5 | fold -w 1 | sort | uniq -c >counts
awk '{ want = 0.4 - 0.1 * index("bcd", $2); if (($1 / 4000 - want)^2 > 0.031^2) exit 1 }' counts || fail "shares: $(cat counts)"
# The square of the shares, as 16 : 9 : 4 : 1.
text --length 4000 --temperature 0.5 | fold -w 1 | sort | uniq -c >counts
awk '{ n = 4 - index("bcd", $2); if (($1 / 4000 - n * n / 30)^2 > 0.032^2) exit 1 }' counts || fail "cooled: $(cat counts)"

# All logits are below 0, so the penalty lowers those of letters that were there, the prompt's as well.
is bcdaaaaa --temperature 0 --length 8 --repetition-penalty 100
is aaaa --temperature 0 --length 4 --repetition-penalty 1.2
# Above 0 it divides.
model 'expand(4 - f32(iota(V)), [B, V]) + 0 * f32(last)[:, _]'
is bcaa --temperature 0 --length 4 --repetition-penalty 2.5

# Equal logits: the lowest id; equal shares: each of them.
model 'full([B, V], 1.0) + 0 * f32(last)[:, _]'
is aaaa --temperature 0 --length 4
letters abcd
letters ab --top-k 2

# A draw is a function of seed, sample and position: of neither threads nor what else is generated.
text --length 50 --seed 3 --threads 1 >one
text --length 50 --seed 3 --threads 2 >two
cmp one two
text --length 50 --seed 4 | cmp -s - one && fail "two seeds, one text"
status 0 "$PTM" generate m.ptm --weights run --prompt a --prompt bb --count 3 --length 50 --seed 3
cp out several
grep -c "^==> prompt" several | grep -qx 6
grep -A 1 "prompt 1, sample 1 " several | tail -1 | tail -c +2 | cmp - one
sed -n '/prompt 1, sample 2 /{n;p}' several >second
cmp -s second one && fail "two samples, one text"
status 0 "$PTM" generate m.ptm --weights run --prompt a --count 2 --length 50 --seed 3
sed -n '/sample 2 /{n;p}' out | cmp - second
printf 'a\r\nbb' >prompts
status 0 "$PTM" generate m.ptm --weights run --prompts prompts --count 3 --length 50 --seed 3
cmp out several
"$PTM" generate m.ptm --weights run --prompts - --count 3 --length 50 --seed 3 <prompts | cmp - several
printf 'a\n' | "$PTM" generate m.ptm --weights run --prompt - --length 50 --seed 3 | tail -c +2 | cmp - one

# Round and round the letters.
model 'where(iota(V) == (last[:, _] + 1) % V, 1.0, 0.0)'
is bcda --temperature 0 --length 4
is bc --temperature 0 --stop da
is b --temperature 0 --stop dx --stop cd --stop da
is "" --temperature 0 --stop b
is bcdabcda --temperature 0 --length 8 --stop abcx --stop dax   # what began as one is text
status 0 "$PTM" generate m.ptm --weights run --prompt a --length 2000 --stats --temperature 0
says "prompt: 1 tokens in"
says "tokens 1 to 100"
status 0 "$PTM" generate m.ptm --weights run --length 0
[ "$(cat out)" = "" ] || fail "a text of nothing"

# Bytes: characters of several bytes come whole, and the half of one at the end as it is.
sed -i 's/chars(read("text"))/bytes()/' m.ptm
sed -i 's/return (.*/return where(iota(V) == 195 - 26 * i32(last[:, _] == 195), 1.0, 0.0) + w/' m.ptm
printf '\303\251\303\251\303\251' >text
rm -rf run
status 0 "$PTM" train m.ptm --data text=text --out run --quiet
is 'éé' --temperature 0 --length 4
text --temperature 0 --length 3 >half
printf '\303\251\303\n' | cmp - half
