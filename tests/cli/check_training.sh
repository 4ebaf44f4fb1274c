# What training would refuse, the check refuses, on the same data.
. "$TESTS/cli/common"
cat >good.ptm <<'END'
data {
  const tok = chars(read("text")), V = size(tok)
  b = windows(tok(read("text")), length = 5, batch = 4)
  b2 = batches(tok(read("text"))[:100], size = 3)
}
param table: f32[V, V] = 0
fn loss(ids: i32[B, T]) -> f32 {
  s = mean(table[ids])
  scan _ in iota(3) carrying s { s = s * 2 }
  return s
}
train { minimize loss(b); using sgd(lr = 0.1); steps 3 }
END
status 0 "$PTM" check good.ptm --data text=good.ptm --dim B=3
status 1 "$PTM" check good.ptm --data txt=good.ptm
says 'nothing in good.ptm reads "txt"'
status 1 "$PTM" check good.ptm --dim N=3
says "no signature in good.ptm has a dimension N"

# $1: an edit of the model, $2: what both say of it
both() {
    sed "$1" good.ptm >edited.ptm
    status 1 "$PTM" check edited.ptm
    says "$2"
    status 1 "$PTM" train edited.ptm --quiet
    says "$2"
}
both 's/carrying s {/carrying s until s > 1 {/' "edited.ptm:9:3: error: no gradient goes through a scan with \`until\`"
both 's/steps 3/steps 3; freeze "**"/' "every parameter that this stage reaches is frozen"
both 's/length = 5/length = 500000/' "too short for one batch"
both 's/windows(.*/batches(pad(tok(lines(read("text")))), size = 4)/; s/(ids: i32.B, T.)/(ids: i32[B, T], k: i32[N])/
      s/loss(b)/loss(b, b2)/; s/return s/return s + mean(f32(k))/' "the batches of b and b2 do not go together"

sed 's/return s/update table = table * 0.9; return s/; s/steps 3/steps 3; group "table", rate = 2/' good.ptm >edited.ptm
status 0 "$PTM" check edited.ptm
says "the program itself updates every parameter that this stage reaches: the optimizer trains nothing"
says 'the program itself updates what the pattern "table" matches, no optimizer: this does nothing'
says "no errors, 2 warnings"
sed 's/^param table.*/&\nparam free: f32 = 1/; s/return s/update table = table * 0.9; return s * free/
     s/steps 3/steps 3; group "**", rate = 2/' good.ptm >edited.ptm
status 0 "$PTM" check edited.ptm
says "no errors"
if grep warning out; then fail "one of the parameters is trained"; fi

# A state of the width of a batch cannot go from one width to another.
cat >wide.ptm <<'END'
data {
  const tok = chars(read("text")), V = size(tok)
  b = batches(pad(tok(lines(read("text")))), size = 4, widths = 3)
}
module kept(x: f32[B, T]) -> f32[B, T] {
  state h: f32[B, T] = 0
  param w: f32 = 1
  update h = h * 0.5 + x * w
  return h
}
fn loss(ids: i32[B, T]) -> f32 { return mean(k: kept(f32(ids))) }
train { minimize loss(b); using sgd(lr = 0.1); steps 3 }
END
status 1 "$PTM" check wide.ptm
says "the state k.h is"
