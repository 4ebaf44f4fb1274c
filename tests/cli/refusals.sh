# What a command says when it has everything but one thing.
. "$TESTS/cli/common"

# Flags.
model=$TESTS/../models/bow.ptm
status 2 "$PTM" train "$model" --thread 2
says "there is no flag --thread here; did you mean --threads?"
status 2 "$PTM" train "$model" --seed x
says "--seed wants a whole number, 0 or more, not \"x\""
status 2 "$PTM" train "$model" --resume=yes
says "--resume takes no value"
status 2 "$PTM" train "$model" -z run
says "flags begin with two dashes: -z"
status 2 "$PTM" train "$model" --resume
says "--resume needs --out DIR, the run to go on with"
status 2 "$PTM" help setings
says 'there is nothing about "setings"; did you mean settings?'
status 2 "$PTM" help qqqqqq
says 'there is nothing about "qqqqqq"'

# A model of characters, with what generate needs and an evaluation.
cat >chars.ptm <<'END'
const context = 8
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param table: f32[V, V] = normal(0, 1)
fn logits(ids: i32[B, T]) -> f32[B, T, V] { return table[ids] }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(logits(ids[:, :-1]), ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 3
}
END
status 0 "$PTM" train chars.ptm --out run
status 1 "$PTM" train chars.ptm --data txt=chars.ptm
says 'nothing in chars.ptm reads "txt" (--data txt=...)'
status 1 "$PTM" data chars.ptm --data txt=chars.ptm
says 'nothing in chars.ptm reads "txt"'
status 1 "$PTM" generate chars.ptm
says "which weights? --weights DIR or FILE is missing"
status 1 "$PTM" eval chars.ptm --weights run
says "has no \`evaluate\` line in its train block"
printf 'abcdefghijklmno' >short.txt
status 1 "$PTM" data chars.ptm --data text=short.txt
says "batch is too short for one batch"
sed '/^const context/d' chars.ptm >endless.ptm
status 1 "$PTM" generate endless.ptm --weights run
says "the model does not say how many tokens it sees"
sed 's/const tok = chars(read("text")), V = size(tok)/const V = 256/; s/tok(read("text"))/bytes()(read("text"))/' chars.ptm >mute.ptm
status 1 "$PTM" generate mute.ptm --weights run
says "the model has no tokenizer: \`const tok = ...\` in its data block"

# A model without training.
printf 'fn f(x: f32[4]) -> f32[4] { return x }\n' >still.ptm
status 1 "$PTM" train still.ptm
says "has no \`train\` block with a \`minimize\` line"

# Streams that a command needs and a loss does not take.
cat >alone.ptm <<'END'
param w: f32[3] = normal(0, 1)
fn loss() -> f32 { return sum(w^2) }
train {
  minimize loss()
  using sgd(lr = 0.1)
  epochs 3
}
END
status 1 "$PTM" train alone.ptm
says "takes no stream, so there are no epochs: give steps"

# Formatting.
status 1 "$PTM" fmt - </
says "cannot read standard input: Is a directory"
status 1 "$PTM" dump still.ptm --entry f --stage update
says "this entry does not go through update (it belongs to the training step)"
status 1 "$PTM" dump chars.ptm --stage recompute
says "this entry does not go through recompute (it wants --memory SIZE)"
