# What generate asks of a model: logits of the right type and shape, a tokenizer, a context.
. "$TESTS/cli/common"

# model LOGITS: a model whose logits are computed so.
model() {
    cat >m.ptm <<MODEL
const context = ${2-8}
data {
  const tok = chars(read("text")), V = size(tok), W = V + 1
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param w: f32[V, V] = 0
param wide: f32[V, W] = 0
$1
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.5)
  steps 2
}
MODEL
}

good='fn logits(ids: i32[B, T]) -> f32[B, T, V] { return w[ids] }'
model "$good"
status 0 "$PTM" train m.ptm --out run --quiet
status 0 "$PTM" generate m.ptm --weights run --length 5
refused() {
    model "$1"
    status 1 "$PTM" generate m.ptm --weights run --length 5
    says "$2"
}
refused 'fn logits(ids: i32[B, T]) -> f32[B, T, W] { return wide[ids] }' "logits must be one f32[B, T, V] with V ="
refused 'fn logits(ids: i32[B, T]) -> f32 { return sum(w[ids]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> f32[V] { return sum(sum(w[ids], axis = 0), axis = 0) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> i32[B, T, V] { return i32(w[ids]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> (f32[B, T, V], f32[B, T, V]) { return w[ids], w[ids] }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T]) -> f32[B, V, V] { return expand(w, [B, V, V]) }' "logits must be one f32[B, T, V]"
refused 'fn logits(ids: i32[B, T], more: i32[B]) -> f32[B, T, V] { return w[ids] }' "no \`fn logits(ids: i32[B, T]) -> f32[B, T, V]\`"
model "$good" 2.5
status 1 "$PTM" generate m.ptm --weights run --length 5
says "a whole number of tokens"
model "$good" 1e18
status 1 "$PTM" generate m.ptm --weights run --length 5
says "a whole number of tokens"

# What it is asked.
model "$good"
misused() {
    status 2 "$PTM" generate m.ptm --weights run $1
    says "$2"
}
misused "--top-p 1.5" "--top-p is a share above 0, at most 1"
misused "--top-p 0" "--top-p is a share"
misused "--repetition-penalty 0" "it is above 0"
misused "--count 0" "--count wants at least 1"
misused "--prompt - --prompts -" "standard input (-) is wanted twice, but can be read once"
misused "--prompt - --prompt -" "standard input (-) is wanted twice"
misused "--stop=" "--stop wants a text that is not empty"
asked() {
    message=$1
    shift
    status 1 "$PTM" generate m.ptm --weights run "$@"
    says "$message"
}
asked "--prompt: character 'Q' at offset 2 is not in the vocabulary" --prompt "a Q"
printf 'the\na Q\nsZ\n' >prompts
asked "prompts:2: character 'Q'" --prompts prompts
says "prompts:3: character 'Z'"
: >prompts
asked "prompts has no lines" --prompts prompts
asked "nowhere" --prompts nowhere
got=0
printf 'a Q' | "$PTM" generate m.ptm --weights run --prompt - >out 2>&1 || got=$?
[ $got = 1 ]
says "standard input: character 'Q'"
sed -i 's/const tok =/const token =/; s/tok(/token(/; s/size(tok)/size(token)/' m.ptm
asked "the model has no tokenizer" --length 5

# A text without a prompt begins with a mark of the vocabulary, else a line break, else id 0; it is not printed.
begins() {
    cat >m.ptm <<MODEL
data {
  const tok = $1, V = size(tok)
  batch = windows(tok(read("text")), length = 3, batch = 2)
}
param w: f32[V] = 0
fn next(ids: i32[B, T]) -> f32[B, V] { return where(iota(V) == ids[:, -1:], 1.0, 0.0) + w }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(w[ids]) }
train {
  minimize loss(batch)
  using sgd(lr = 0.0)
  steps 1
}
MODEL
    rm -rf run
    status 0 "$PTM" train m.ptm --data text=text --out run --quiet
    status 0 "$PTM" generate m.ptm --weights run --temperature 0 --length 2
    printf "$2" | cmp - out
}
printf 'b a\nb a\nb a b a' >text
begins 'chars(read("text"))' '\n\n\n'
begins 'words(read("text"))' 'b b\n'
begins 'words(read("text"), marks = ["<s>"])' '<s> <s>\n'
printf 'babababababa' >text
begins 'chars(read("text"))' 'aa\n'

# A classifier says nothing of what comes next.
status 0 "$PTM" train "$TESTS/../models/bilstm.ptm" --set passes=1 --steps 1 --out kinds --quiet
status 1 "$PTM" generate "$TESTS/../models/bilstm.ptm" --weights kinds
says "logits must be one f32[B, T, V]"
says "of 8 tokens it makes f32[1, 3]"
status 0 "$PTM" train "$TESTS/../models/bow.ptm" --steps 1 --out bags --quiet
status 1 "$PTM" generate "$TESTS/../models/bow.ptm" --weights bags
says "logits must be one f32[B, T, V]"
