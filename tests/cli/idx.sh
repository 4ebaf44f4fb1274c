# Training on arrays in idx files: idx("x") in data, and files that are none.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
data {
  x, y = batches(f32(idx("x")), i32(idx("y")), size = 2)
}
fn logits(x: f32[B, 3]) -> f32[B, 2] { return out: linear(x, 2) }
fn loss(x: f32[B, 3], y: i32[B]) -> f32 { return mean(cross_entropy(logits(x), y)) }
train { minimize loss(x, y); using sgd(lr = 0.1); steps 2 }
MODEL
printf '\000\000\010\002\000\000\000\004\000\000\000\003\001\002\377\004\005\006\007\010\011\012\013\014' >x.idx
printf '\000\000\010\001\000\000\000\004\000\001\001\000' >y.idx
status 0 "$PTM" data m.ptm --data x=x.idx --data y=y.idx
says "255"
status 0 "$PTM" train m.ptm --data x=x.idx --data y=y.idx --out run --quiet
gzip -k x.idx
status 1 "$PTM" check m.ptm --data x=x.idx.gz --data y=y.idx
says "x.idx.gz is gzip; unpack it first"

# Every element type, in big-endian order; 16-bit numbers are widened.
typed() {
    printf 'data { const v = sum(idx("x")) }\nfn f(a: f32[B]) -> f32[B] { return a * v }\n' >t.ptm
    # shellcheck disable=SC2059
    printf "$1" >t.idx
    status 0 "$PTM" data t.ptm --data x=t.idx
    says "$2"
}
typed '\000\000\011\001\000\000\000\002\376\001' "-1"
typed '\000\000\013\001\000\000\000\002\377\375\001\002' "255"
typed '\000\000\014\001\000\000\000\001\000\001\000\002' "65538"
typed '\000\000\015\001\000\000\000\001\300\040\000\000' "-2.5"
typed '\000\000\016\001\000\000\000\001\100\011\000\000\000\000\000\000' "3.125"

# What is no idx file: one error with file and offset.
wrong() {
    # shellcheck disable=SC2059
    printf "$1" >w.idx
    status 1 "$PTM" check m.ptm --data x=w.idx --data y=y.idx
    says "$2"
}
wrong '\000\000' "w.idx is too short for an idx file"
wrong 'abcdefgh' "w.idx is not an idx file: it does not begin with two zero bytes"
wrong '\000\000\007\001\000\000\000\001a' "w.idx: element type 0x07 at byte 2 is none of the idx format"
wrong '\000\000\010\011' "w.idx: 9 axes at byte 3, supported are 8"
wrong '\000\000\010\002\000\000\000\001' "w.idx is cut off in its header, at byte 8"
wrong '\000\000\010\001\000\000\000\004abc' "w.idx: its header says 4 bytes of elements from byte 8 on, but there are 3"
wrong '\000\000\010\001\000\000\000\004abcde' "but there are 5"
wrong '\000\000\016\003\377\377\377\377\377\377\377\377\377\377\377\377' "w.idx: the extents up to byte 12 say more elements"
wrong '\000\000\010\001\000\000\000\000' "w.idx has no elements"
status 1 "$PTM" check m.ptm --data y=y.idx
says "which array? --data x=FILE is missing: none is built in"
status 1 "$PTM" check m.ptm --data x=nothing --data y=y.idx
says "cannot open nothing"
