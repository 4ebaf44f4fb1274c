# ptm run on trained models: text in, the numbers of eval and generate, the same bits for any number of threads.
. "$TESTS/cli/common"
. "$TESTS/cli/npy"
cat >m.ptm <<'MODEL'
const context = 64, width = 96
data {
  const tok = chars(read("text")), V = size(tok)
  fit, held = holdout(tok(read("text"))[:20000], 0.1)
  batch = windows(fit, length = context + 1, batch = 8, shuffle = true)
  line = windows(tok(read("line")), length = 45, batch = 1)
}
fn body(ids: i32[B, T]) -> f32[B, T, width] {
  x = wte: embedding(ids, V, width)
  for i in 0..2 { x = x + relu(h[i]: linear(shifted(x), width)) }
  return x
}
fn shifted(x: f32[B, T, D]) -> f32[B, T, D] { return cumsum(x, axis = 1) / 8 }
fn logits(ids: i32[B, T]) -> f32[B, T, V] { return body(ids) @ wte.weight.T }
fn nll(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(logits(ids[:, :-1]), ids[:, 1:])) }
fn best(ids: i32[T]) -> i32 { return argmax(logits(ids[_])[0, -1]) }
fn letter(ids: i32[T]) -> i32 { return ids[0] }
train {
  minimize nll(batch)
  using adam(lr = 0.01)
  steps 20
  evaluate loss = mean(nll(line))
}
MODEL
printf 'the old king sees a small dog near the river ' >line
[ "$(wc -c <line)" = 45 ] || fail "the line is one window"
status 0 "$PTM" train m.ptm --data line=line --out run --quiet

# The loss that eval gives of the same window: the same f32, of which od prints enough
# digits to be nearer to it than half of its last place.
"$PTM" eval m.ptm --weights run --json >eval
"$PTM" run m.ptm --entry nll --weights run --text 'the old king sees a small dog near the river ' -o nll.npy
tail -c 4 nll.npy | od -An -tf4 | cat eval - | tr -d '{}" ' | sed 's/.*://' |
    awk '{ x[NR] = $1 }
        END {
            for (place = 1; 2 * place <= x[1]; place *= 2) continue
            exit !(NR == 2 && x[1] > 1 && (x[1] - x[2]) ^ 2 < (place / 2 ^ 24) ^ 2)
        }' ||
    fail "eval: $(cat eval), run: $(tail -c 4 nll.npy | od -An -tf4)"

# the likeliest letter is what generate prints
letter=$("$PTM" generate m.ptm --weights run --prompt 'the old kin' --temperature 0 --length 1 | tail -c 2 | head -c 1)
"$PTM" run m.ptm --entry letter --weights run --text "$letter" | sed 's/letter //' >wanted
"$PTM" run m.ptm --entry best --weights run --text 'the old kin' | sed 's/best //' >got
cmp wanted got

# lines of standard input are rows; short ones are filled
printf 'the\nold' | "$PTM" run m.ptm --entry logits --weights run --text - -o rows.npy 2>note
[ ! -s note ] || fail "a note on equal lines: $(cat note)"
printf 'the old\r\nking\n' >lines
status 0 "$PTM" run m.ptm --entry logits --weights run --text - <lines
says "lines of 4 to 7 ids: the shorter ones are filled with -1"
says "logits f32[2, 7, "
status 1 "$PTM" run m.ptm --entry best --weights run --text - <lines
says "standard input has 2 lines, but the input ids of best is one: i32[T]"
status 1 "$PTM" run m.ptm --entry logits --weights run --text - </dev/null
says "standard input is empty"
status 1 "$PTM" run m.ptm --entry logits --weights run --text ""
says "the tokenizer makes no ids of it"
printf 'the\n{}\n' >lines
status 1 "$PTM" run m.ptm --entry logits --weights run --text - <lines
says "--text: line 2: "
status 1 "$PTM" run m.ptm --entry logits --text "the"
says "which weights?"
npy '<i4' '(1, 2)' "$(i32 1 1000)" >far.npy
status 1 "$PTM" run m.ptm --entry logits --weights run --input far.npy
says "index 1000 is outside its axis"
says "m.ptm:9:12 wte"

# names that are none, and inputs that are given twice
status 1 "$PTM" run m.ptm --entry logits --weights run --text the --output nothing=y.npy
says "logits has no result nothing; its results are: logits"
npy '<i4' '(1, 2)' "$(i32 1 2)" >near.npy
status 1 "$PTM" run m.ptm --entry logits --weights run --input ids=near.npy --input near.npy
says "the input ids is given twice"
status 1 "$PTM" eval m.ptm --weights run --stage none
says "m.ptm has no stage none; its stages: none"
echo 'fn both(a: i32[T], b: i32[T]) -> i32[T] { return a + b }' >>two.ptm
cat m.ptm >>two.ptm
status 1 "$PTM" run two.ptm --entry both --weights run --text the
says "--text is for one input, and 2 of both have no array; its inputs are: "

# words that the vocabulary lacks
cat >words.ptm <<'MODEL'
data { const tok = words(read("text"), at_most = 20, unknown = "<unk>"), V = size(tok) }
fn count(ids: i32[T]) -> i64 { return sum(1 + 0 * ids) }
MODEL
status 0 "$PTM" run words.ptm --entry count --text "the unheard-of"
says "warning: --text: \"unheard-of\" is not in the vocabulary and read as <unk>"
says "count "
sed 's/, unknown = "<unk>"//' words.ptm >narrow.ptm
status 1 "$PTM" run narrow.ptm --entry count --text "unheard-of"
says "\"unheard-of\" is not in the vocabulary and left out"

# the same bits
for threads in 1 2 3 8; do
    "$PTM" run m.ptm --entry logits --weights run --threads $threads --text "$(cat line)$(cat line)" -o $threads.npy
    cmp 1.npy $threads.npy
done
