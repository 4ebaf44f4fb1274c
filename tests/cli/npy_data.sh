# Training on arrays: npy("x") in data.
. "$TESTS/cli/common"
. "$TESTS/cli/npy"
cat >m.ptm <<'MODEL'
data {
  x, y = batches(npy("x"), i32(npy("y")), size = 4)
}
param w: f32[2, 2] = 0
fn logits(x: f32[B, 2]) -> f32[B, 2] { return x @ w }
fn loss(x: f32[B, 2], y: i32[B]) -> f32 { return mean(cross_entropy(logits(x), y)) }
train {
  minimize loss(x, y)
  using sgd(lr = 0.1)
  steps 40
  evaluate accuracy = mean(f32(argmax(logits(x)) == y))
}
MODEL
# Which of two numbers is the larger one.
npy '<f4' '(6, 2)' "$(f32 1 2 9 4 3 5 7 1 0 2 8 3)" >x.npy
npy '<u2' '(6,)' '\001\000\000\000\001\000\000\000\001\000\000\000' >y.npy
npy '<u2' '(7,)' '\001\000\000\000\001\000\000\000\001\000\000\000\000\000' >seven.npy

status 0 "$PTM" data m.ptm --data x=x.npy --data y=y.npy
says "x: f32[4, 2], batch 0 of 1 a pass, 6 rows"
says "  [9 4]"
status 0 "$PTM" train m.ptm --data x=x.npy --data y=y.npy --out run --quiet
status 0 "$PTM" eval m.ptm --weights run
says "accuracy     1.000000"
status 0 "$PTM" train m.ptm --out run --resume --steps 50 --quiet
cp x.npy kept.npy
npy '<f4' '(6, 2)' "$(f32 1 2 9 4 3 5 7 1 0 2 8 4)" >x.npy
status 1 "$PTM" train m.ptm --out run --resume --steps 60 --quiet
says 'the data differs: this run was begun with "x" from x.npy'
mv kept.npy x.npy

# Arrays of an archive: by the name that is read, by `array`, or its only one.
cat >two.ptm <<'MODEL'
fn give(x: f32[B, 2], y: i32[B]) -> (f32[B, 2], i32[B]) { return x, y }
MODEL
npy '<i4' '(6,)' "$(i32 1 0 1 0 1 0)" >ids.npy
"$PTM" run two.ptm --entry give --input x=x.npy --input y=ids.npy -o both.npz
"$PTM" run two.ptm --entry give --input x=x.npy --input y=ids.npy --output x=one.npz
sed 's/npy("x")/npy("all", array = "x")/; s/npy("y")/npy("all", array = "y")/' m.ptm >all.ptm
status 0 "$PTM" train m.ptm --data x=both.npz --data y=both.npz --steps 50 --out named --quiet
status 0 "$PTM" train all.ptm --data all=both.npz --steps 50 --out all --quiet
status 0 "$PTM" train m.ptm --data x=one.npz --data y=y.npy --steps 50 --out one --quiet
# weights DIR: the four numbers of w, behind the header.
weights() { tail -c 16 "$1/last.safetensors"; }
weights run >wanted
for other in named all one; do weights $other | cmp wanted -; done

# Wrong files, with the line that reads them.
status 1 "$PTM" check m.ptm --data y=y.npy
says "m.ptm:2:18: error: which array? --data x=FILE.npy is missing: none is built in"
status 1 "$PTM" check m.ptm --data x=x.npy --data y=m.ptm
says "m.ptm:2:32: error: m.ptm: neither a .npy nor a .npz file"
status 1 "$PTM" check all.ptm --data all=x.npy
says "x.npy is a .npy file: its array has no name"
sed 's/array = "y"/array = "z"/' all.ptm >z.ptm
status 1 "$PTM" check z.ptm --data all=both.npz
says "both.npz has no array z among its 2"
status 1 "$PTM" check m.ptm --data x=x.npy --data y=seven.npy
says "rows"
status 1 "$PTM" check m.ptm --data x=y.npy --data y=y.npy
says "argument x of loss: expected f32[B, 2], found i32[4]"
npy '<f4' '(0, 2)' '' >none.npy
status 1 "$PTM" check m.ptm --data x=none.npy --data y=y.npy
says "none.npy has no elements"
