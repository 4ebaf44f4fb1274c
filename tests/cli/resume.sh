# A resumed run knows what it resumes: flags, data and model are those it was begun with, or it says what differs.
. "$TESTS/cli/common"
mkdir -p home/lib
cp "$TESTS/../models/gpt.ptm" home/
cp "$TESTS/../models/lib/transformer.ptm" home/lib/
model=home/gpt.ptm
awk 'BEGIN { for (i = 0; i < 400; i++) print "line " i " of a text that is long enough: " i * i }' >t.txt
small="--set layers=1 --set width=16 --set heads=2 --set context=8"

status 0 "$PTM" train "$model" $small --data text=t.txt --seed 3 --steps 6 --out whole --quiet
# Begun for six steps and stopped after three: its checkpoint is put in the place of the last one.
status 0 "$PTM" train "$model" $small --data text=t.txt --seed 3 --steps 6 --save-every 3 --out run --quiet
rm run/best.safetensors
cp -r run begun
grep -q '"text": "t.txt"' run/run.json || fail "no data in run.json: $(cat run/run.json)"

# Without any flag it is the same run: same data, same settings, same seed, same length.
rm run/last.safetensors
status 0 "$PTM" train "$model" --out run --resume --quiet
cmp whole/last.safetensors run/last.safetensors
cmp begun/run.json run/run.json
status 0 "$PTM" train "$model" $small --data text=t.txt --seed 3 --steps 6 --out run --resume --quiet

# What contradicts the run is refused, both values named, every one of them at once.
status 1 "$PTM" train "$model" --out run --resume --set width=32 --set drop=0.5 --seed 4 --quiet
says "--set width=32, but this run was begun with width=16"
says "--set drop=0.5, but this run was begun without --set drop"
says "--seed 4, but this run was begun with seed 3"
status 2 "$PTM" train "$model" --out run --resume --weights whole
cmp begun/run.json run/run.json

# Data: the bytes count, not the name.
cp t.txt moved.txt
status 0 "$PTM" train "$model" --out run --resume --data text=moved.txt --quiet
sed 's/line 7 /line 8 /' t.txt >other.txt
status 1 "$PTM" train "$model" --out run --resume --data text=other.txt --quiet
says 'this run was begun with "text" from'
says "now \"text\" is other.txt"
cp begun/run.json run/
cp other.txt t.txt
status 1 "$PTM" train "$model" --out run --resume --quiet
says "the data differs"
cp moved.txt t.txt

# The model: its root file and what it imports.
sed 's/warmup = 100/warmup = 10/' "$TESTS/../models/gpt.ptm" >home/gpt.ptm
status 1 "$PTM" train "$model" --out run --resume --quiet
says "home/gpt.ptm has changed since this run was begun: compare it with run/model/gpt.ptm"
cp "$TESTS/../models/gpt.ptm" home/
echo '# another line' >>home/lib/transformer.ptm
status 1 "$PTM" train "$model" --out run --resume --quiet
says "home/lib/transformer.ptm has changed"
cp "$TESTS/../models/lib/transformer.ptm" home/lib/

# Another length is allowed, with a warning, and is the run's length from then on.
status 0 "$PTM" train "$model" --out run --resume --steps 8 --quiet
says "warning: this run was begun for 6 steps, now it is 8"
grep -q '"steps": 8' run/run.json || fail "the new length is not in run.json"
status 0 "$PTM" train "$model" --out run --resume
says "the run has made its 8 steps"

# A record that is missing or damaged.
mv run/run.json kept
status 1 "$PTM" train "$model" --out run --resume --quiet
says "there is no run.json"
sed 's/"seed": 3/"seed": "three"/' kept >run/run.json
status 1 "$PTM" train "$model" --out run --resume --quiet
says '"seed" is missing or malformed'
head -c 100 kept >run/run.json
status 1 "$PTM" train "$model" --out run --resume --quiet
says "run.json:"

# A checkpoint whose checksum lost its name is damaged, for --resume and for --weights; weights of others need none.
cp kept run/run.json
cp -r run damaged
rm damaged/step-*.safetensors
sed 's/"checksum"/"chexksum"/' run/last.safetensors >damaged/last.safetensors
status 1 "$PTM" train "$model" --out damaged --resume --quiet
says "does not begin with a checksum"
rm damaged/best.safetensors
status 1 "$PTM" eval "$model" --weights damaged
says "does not begin with a checksum"
status 1 "$PTM" eval "$model" $small --data text=t.txt --weights damaged/last.safetensors
sed 's/"best_step"/"best_stem"/' damaged/last.safetensors >foreign.safetensors
status 0 "$PTM" eval "$model" $small --data text=t.txt --weights foreign.safetensors

# The copy in the run directory is a whole model; equal runs have equal copies and records.
cmp home/gpt.ptm whole/model/gpt.ptm
cmp home/lib/transformer.ptm whole/model/lib/transformer.ptm
status 0 "$PTM" check whole/model/gpt.ptm

# An import from above the model's folder stays inside the run directory, where the copy finds it.
mkdir -p deep/a/b deep/shared
cat >deep/a/b/root.ptm <<'MODEL'
import "../../shared/one.ptm"
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param w: f32[V, V] = 0
fn loss(ids: i32[B, T+1]) -> f32 { return one(mean(cross_entropy(w[ids[:, :-1]], ids[:, 1:]))) }
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 2
}
MODEL
echo 'import "./more/../two.ptm"
fn one(x: f32) -> f32 { return two(x) }' >deep/shared/one.ptm
mkdir deep/shared/more
echo 'fn two(x: f32) -> f32 { return x }' >deep/shared/two.ptm
status 0 "$PTM" train deep/a/b/root.ptm --out above --quiet
cmp deep/shared/two.ptm above/model/shared/two.ptm
(cd above/model/a/b && mkdir -p ../../shared/more && "$PTM" check root.ptm) || fail "the copy does not find its imports"

# What the record says of the program, its model and its data, against what is there now.
rm -r run && cp -r begun run
again() {
    status "$1" "$PTM" train "$model" --out run --resume --quiet
}
status 1 "$PTM" train "$model" --out run --resume --quiet --blas openblas
says "--blas openblas, but this run was begun with --blas none"
sed 's/"files": \[/"files": [], "unread": [/' begun/run.json >run/run.json
again 1
says "the model has 2 files, it had 0 when this run was begun"
sed 's/"sources": \[/"sources": [], "unread": [/' begun/run.json >run/run.json
again 1
says "the model reads 1 sources of data, this run was begun with 0"
sed '/"sources"/,$s/"hash": "[0-9a-f]*"/"hash": "0"/;/"sources"/,$s/"t.txt"/null/' begun/run.json >run/run.json
again 1
says 'this run was begun with "text" from the built-in corpus (hash 0)'
sed 's/"ptm": "[^"]*"/"ptm": "0.0"/' begun/run.json >run/run.json
again 0
says "warning: this run was begun with ptm 0.0"
odd=$(printf 'home/\377.ptm')
cp "$model" "$odd"
status 0 "$PTM" train "$odd" $small --data text=t.txt --steps 1 --out odd --quiet
grep -qF '"model": "(not UTF-8)"' odd/run.json || fail "not JSON: $(cat odd/run.json)"
