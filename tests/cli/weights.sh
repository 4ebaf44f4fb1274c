# Weights in another layout: what a file holds, how it fits a model, reading by a weights block and writing by one.
. "$TESTS/cli/common"

cat >m.ptm <<'MODEL'
const width = 6, layers = 2, V = 5
data {
  const tok = chars(read("text"))
  ids = tok(read("text")) % V
  batch = windows(ids, length = 9, batch = 4, shuffle = true)
  valid = windows(ids[:400], length = 9, batch = 4)
}
fn logits(ids: i32[B, T]) -> f32[B, T, V] {
  x = emb: embedding(ids, V, width)
  for i in 0..layers { x = x + tanh(a[i]: linear(x, width)) + tanh(b[i]: linear(x, width)) }
  return out: linear(x, V)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] { return cross_entropy(logits(ids[:, :-1]), ids[:, 1:]) }
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
train {
  minimize loss(batch)
  using    adam(lr = 1e-2)
  steps    20
  evaluate loss = mean(nll(valid))
}
weights torch {
  prefix "net."
  ignore "version", "layer.*.mask"
  "a.*.*", "b.*.*" = split("layer.*.ab.*".T, 2)
  "out.weight" = "head.w".T
  "out.bias" = "head.b"
  "emb.weight"[0:1] = "x"
}
MODEL
# Nothing but a string stands on the left.
status 1 "$PTM" check m.ptm
sed -i '/emb.weight"\[/d' m.ptm
status 0 "$PTM" check m.ptm
status 0 "$PTM" train m.ptm --out run --quiet
status 0 "$PTM" eval m.ptm --weights run
cp out evaluated

# The run's own parameters, and what the file holds.
status 0 "$PTM" weights m.ptm
says "11 parameters"
says "f32[6, 6]"
status 0 "$PTM" weights run
says "a.0.weight"
status 0 "$PTM" weights m.ptm --weights run
says "by the model's own names: 11 of 11 parameters fit"

# Written in the other layout it is read by the block, with the same result; and back, it is what it was.
status 0 "$PTM" weights m.ptm --weights run --to torch -o theirs.safetensors
says "theirs.safetensors: 7 tensors"
status 0 "$PTM" weights theirs.safetensors
says "net.layer.0.ab.weight"
says "f32[12, 6]"
says "net.head.w"
status 0 "$PTM" weights m.ptm --weights theirs.safetensors
says "as weights torch says: 11 of 11 parameters fit, 0 without tensor, 0 of another shape or type; of 7 tensors 0 are ignored and 0 read by nothing"
status 0 "$PTM" eval m.ptm --weights theirs.safetensors
cmp out evaluated || fail "weights in another layout give another result"
status 0 "$PTM" eval m.ptm --weights torch:theirs.safetensors
cmp out evaluated || fail "the block named gives another result"
status 0 "$PTM" train m.ptm --weights run --steps 3 --out on1 --quiet
status 0 "$PTM" train m.ptm --weights theirs.safetensors --steps 3 --out on2 --quiet
cmp on1/last.safetensors on2/last.safetensors || fail "training goes on in another way"
printf 'weights own { }\n' >>m.ptm
status 0 "$PTM" weights m.ptm --weights run --to own -o own.safetensors
status 0 "$PTM" weights m.ptm --weights torch:theirs.safetensors --to own -o back.safetensors
cmp own.safetensors back.safetensors || fail "there and back again is not the same"

# bf16, f16 and f64: rounded on the way out, as they are on the way in; to f64 and back loses nothing.
for type in bf16 f16 f64; do
    status 0 "$PTM" weights m.ptm --weights run --to torch --dtype $type -o $type.safetensors
    status 0 "$PTM" weights $type.safetensors
    says "$type[12, 6]"
    status 0 "$PTM" eval m.ptm --weights $type.safetensors
    status 0 "$PTM" weights m.ptm --weights $type.safetensors --to torch -o $type.back.safetensors
    status 0 "$PTM" weights m.ptm --weights $type.back.safetensors --to torch --dtype $type -o $type.again.safetensors
    cmp $type.safetensors $type.again.safetensors || fail "$type is not read as it was written"
done
cmp f64.back.safetensors theirs.safetensors || fail "by way of f64 the weights are others"

# An archive of arrays, and a single one, read and written in the same way.
status 0 "$PTM" weights m.ptm --weights run --to torch -o theirs.npz
status 0 "$PTM" weights theirs.npz
says "net.layer.0.ab.weight"
status 0 "$PTM" eval m.ptm --weights theirs.npz
cmp out evaluated || fail "weights in a .npz give another result"
status 0 "$PTM" weights m.ptm --weights theirs.npz --to torch -o again.safetensors
cmp again.safetensors theirs.safetensors || fail "by way of .npz the weights are others"
status 0 "$PTM" weights m.ptm --weights theirs.npz --to torch --dtype f16 -o half.npz
status 0 "$PTM" eval m.ptm --weights half.npz
head -c 300 theirs.npz >cut.npz
status 1 "$PTM" eval m.ptm --weights cut.npz
says "cut.npz"

# Wildcards over several parts and alternatives, lines in loops and under conditions, and later lines that win.
cat >>m.ptm <<'MODEL'
weights deep {
  "{a,b}.**" = "blocks.*.**"
  if layers == 2 { "out.*" = "last.*.x" } else { "nothing" = "y" }
  for i in 0..layers { "a.{i}.weight" = "first{i}"[::-1].T }
}
MODEL
status 0 "$PTM" check m.ptm
status 0 "$PTM" weights m.ptm --weights run --to deep -o deep.safetensors
status 0 "$PTM" weights m.ptm --weights deep.safetensors
for name in first0 first1 blocks.b.0.weight blocks.a.1.bias last.weight.x emb.weight; do
    grep -q " $name " out || fail "$name is not in the other layout: $(cat out)"
done
! grep -q blocks.a.0.weight out || fail "an earlier line won"
status 0 "$PTM" eval m.ptm --weights deep.safetensors
cmp out evaluated || fail "by wildcards the result is another"
says_not() { ! grep -qF -- "$1" out || fail "in the output: $1"; }
says_not warning

# What does not match, both ways, with what it may have meant.
sed 's/head\.w/hedd.w/; s/"b\.\*\.\*" = split("layer.*.ab.*"/"b.*.*" = split("layers.*.ab.*"/' m.ptm >other.ptm
status 1 "$PTM" weights other.ptm --weights torch:theirs.safetensors
says "missing; did you mean net.head.w?"
says "missing; did you mean net.layer.0.ab.weight?"
says "nothing reads it; did you mean net.hedd.w?"
says "9 without tensor"
says "5 read by nothing"
status 1 "$PTM" eval other.ptm --weights torch:theirs.safetensors
says "theirs.safetensors does not fit the model (read as weights torch says):"
says "there is no tensor net.hedd.w, of which the model makes out.weight; did you mean net.head.w?"
says "\`ptm weights other.ptm --weights torch:theirs.safetensors\` shows the whole table"
status 1 "$PTM" eval m.ptm --weights theirs.safetensors --set width=8
says "a.0.weight is f32[8, 8], but the line makes f32[6, 6] of net.layer.0.ab.weight f32[12, 6]"
says "tensor net.emb.weight is f32[5, 6], the model wants f32[5, 8] for emb.weight"
status 1 "$PTM" weights m.ptm --weights theirs.safetensors --set width=8
says "another shape"

# Names without the prefix will do; tensors that nothing reads are named, unless the block ignores them.
sed 's/prefix "net\."/prefix "net.more."/' m.ptm >prefixed.ptm
status 0 "$PTM" weights m.ptm --weights theirs.safetensors --to torch -o plain.safetensors
sed 's/prefix "net\."//' m.ptm >without.ptm
status 0 "$PTM" weights without.ptm --weights run --to torch -o bare.safetensors
status 0 "$PTM" eval m.ptm --weights bare.safetensors
cmp out evaluated || fail "names without the prefix give another result"
sed 's/const width = 6, layers = 2/const width = 6, layers = 1/' m.ptm >short.ptm
status 0 "$PTM" eval short.ptm --weights theirs.safetensors
says "warning: theirs.safetensors: nothing here reads net.layer.1.ab.weight, net.layer.1.ab.bias"
sed 's/"layer.\*.mask"/"layer.1.**"/' short.ptm >ignoring.ptm
status 0 "$PTM" eval ignoring.ptm --weights theirs.safetensors
! grep -q warning out || fail "ignored tensors are named"
status 0 "$PTM" weights ignoring.ptm --weights theirs.safetensors
says "2 are ignored and 0 read by nothing"

# Misuse, and lines without a way back.
status 1 "$PTM" weights theirs.safetensors --weights run
says "--weights and --to belong to a model: ptm weights MODEL.ptm --weights FILE"
status 1 "$PTM" weights m.ptm --to torch -o x.safetensors
says "which weights?"
status 1 "$PTM" weights m.ptm --weights torsch:theirs.safetensors
says "m.ptm has no block \`weights torsch\`; did you mean torch?"
status 1 "$PTM" weights m.ptm --weights run --to torhc -o x.safetensors
says "did you mean torch?"
status 1 "$PTM" weights m.ptm --weights run --to torch
says "-o FILE is missing"
status 1 "$PTM" weights m.ptm --weights run --to torch --dtype i32 -o x.safetensors
says "--dtype wants f32, bf16, f16 or f64"
sed 's/= "head.w".T/= reshape("head.w".T, [width, V])/' m.ptm >reshaped.ptm
status 1 "$PTM" weights reshaped.ptm --weights run --to torch -o x.safetensors
says "this line has no way back by itself: the shape of net.head.w does not follow from the parameters"
status 0 "$PTM" weights reshaped.ptm --weights run --to torch --like theirs.safetensors -o x.safetensors
cmp x.safetensors theirs.safetensors || fail "with --like the file is another"
sed 's/= split("layer.*.ab.*".T, 2)/= "same.*.*", "same.*.*"/' m.ptm >shared.ptm
status 1 "$PTM" weights shared.ptm --weights run --to torch -o y.safetensors
says "and another parameter give net.same."
sed 's/= "head.b"/= "head.b"[2:]/' m.ptm >holes.ptm
status 1 "$PTM" weights holes.ptm --weights run --to torch -o y.safetensors
says "the parameters give only 5 of the 7 elements of net.head.b"
sed 's/= "head.b"/= "head.b"[4000000000000000:]/' m.ptm >huge.ptm
status 1 "$PTM" weights huge.ptm --weights run --to torch -o y.safetensors
says "net.head.b"
[ ! -e y.safetensors ] || fail "half a file was written"
status 1 "$PTM" weights m.ptm --weights run --to torch -o nowhere/x.safetensors
says "nowhere"
head -c 100 theirs.safetensors >cut.safetensors
status 1 "$PTM" weights cut.safetensors
says "cut.safetensors: not a safetensors file, or cut off"
# Names that a terminal would obey are shown without that.
header='{"a\u001b[2Jb":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}'
# shellcheck disable=SC2059
{ printf "\\$(printf %o ${#header})\\000\\000\\000\\000\\000\\000\\000"; printf '%s\000\000\200\077' "$header"; } >odd.safetensors
status 0 "$PTM" weights odd.safetensors
says "a?[2Jb"
status 1 "$PTM" weights m.ptm --weights odd.safetensors
says "a?[2Jb"
! grep -q "$(printf '\033')" out || fail "an escape character was printed"
status 1 "$PTM" weights m.ptm --weights nothing.safetensors
says "nothing.safetensors: No such file"
