# --set and --dim that meet something else than a constant of the file.
. "$TESTS/cli/common"
cat >model.ptm <<'END'
const width = 4
const low, high = [1, 2]
data {
  const tok = bytes(), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param table: f32[V, width] = normal(0, low)
fn loss(ids: i32[B, T]) -> f32 { return mean(table[ids]^2) * high }
train {
  minimize loss(batch)
  using sgd(lr = 0.1)
  steps 3
}
END
status 0 "$PTM" check model.ptm --set width=8
status 1 "$PTM" check model.ptm --set V=8
says "--set V: this constant comes from data"
status 1 "$PTM" check model.ptm --set high=3
says "--set high: this constant is one of several of a list"
status 1 "$PTM" check model.ptm --set table=3
says "there is no constant table"
status 1 "$PTM" check model.ptm --dim K=3
says "no signature in model.ptm has a dimension K"
printf 'fn f(x: f32[4]) -> f32 { return sum(x)\001 }\n' >control.ptm
status 1 "$PTM" check control.ptm
says "a control character (0x01) is not part of the language"
