# What importing says when it cannot: where it looked, how deep it went, and which names meet.
. "$TESTS/cli/common"

mkdir -p inner/deep
printf 'import "deep/none.ptm"\nfn f(x: f32) -> f32 { return x }\n' >inner/model.ptm
status 1 "$PTM" check inner/model.ptm
says "inner/model.ptm:1:8: error: there is no file deep/none.ptm"
says "note: looked for inner/deep/none.ptm"
says "/models/deep/none.ptm"
printf 'import "/nowhere/none.ptm"\nfn f(x: f32) -> f32 { return x }\n' >absolute.ptm
status 1 "$PTM" check absolute.ptm
[ "$(grep -c 'note: looked for' out)" = 1 ] || fail "an absolute path is looked for in one place: $(cat out)"

for i in $(seq 100); do printf 'import "%s.ptm"\nfn f%s(x: f32) -> f32 { return x }\n' $((i + 1)) "$i" >"$i.ptm"; done
status 1 "$PTM" check 1.ptm
says "imports nest more than"

# Parameters of a file have their own name as path, like the labels of an entry.
printf 'param k: f32[4] = 0\nfn scaled(x: f32[4]) -> f32[4] { return x * k }\n' >scaled.ptm
cat >clash.ptm <<'END'
import "scaled.ptm"
module cell(x: f32[4]) -> f32[4] {
  param w: f32[4] = 0
  return x * w
}
fn clash(x: f32[4]) -> f32[4] {
  y = k: cell(x)
  return scaled(y)
}
END
status 1 "$PTM" check clash.ptm
says "scaled.ptm:1:7: error: k is a parameter of the file and a label"
says "clash.ptm:7:7: note: the label"
