# ptm run: arrays in and out, by files and pipes.
. "$TESTS/cli/common"
. "$TESTS/cli/npy"
cat >m.ptm <<'MODEL'
const width = 3
state total: f32[2] = 1
fn twice(x: f32[B, width]) -> f32[B, width] { return 2 * x }
fn pick(x: f32[B, N], ids: i32[N]) -> (f32[B], f32[N], bool[B]) {
  row = sum(x, axis = 1)
  table = x[0]
  return row, table[ids], row > 3
}
fn add(x: f32[2]) -> f32[2] {
  update total = total + x
  return total
}
fn masked(x: f32[..S, N], mask: bool[..S, N] = true; k = 2) -> f32[..S, N] { return where(mask, k * x, 0) }
fn whole(a: i64[N], b: i8[N], c: u8[N], d: bool[N]) -> (i64[N], i8[N], u8[N], bool[N]) { return a, b, c, d }
MODEL
npy '<f4' '(2, 3)' "$(f32 1 2 3 4 5 6)" >x.npy
npy '<i4' '(3,)' "$(i32 2 0 -1)" >ids.npy

# printed
status 0 "$PTM" run m.ptm --entry twice --input x=x.npy
says "twice f32[2, 3]
 2 4 6
 8 10 12"
status 0 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npy
says "row f32[2]
 6 15
1 f32[3]
 3 1 0
2 bool[2]
 true true"

# files, an archive, pipes, in place
status 0 "$PTM" run m.ptm --entry twice --input x.npy --output twice=a.npy -o b.npz --output c.npy
[ ! -s out ] || fail "it printed beside --output"
"$PTM" run m.ptm --entry twice --input - -o - <x.npy >d.npy
cat x.npy | "$PTM" run m.ptm --entry twice --input x=- --output twice=- | cat >e.npy
for other in c d e; do cmp a.npy $other.npy; done
status 0 "$PTM" run m.ptm --entry twice --input a.npy
says " 4 8 12"
"$PTM" run m.ptm --entry twice --input x.npy -o twice.npz
status 0 "$PTM" run m.ptm --entry twice --input x=twice.npz       # its only array
says " 4 8 12"
"$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npy --output row=ids.npz
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npz
says "ids.npz is f32[2], but the input ids of pick is i32[N]"
[ -z "$(ls ./*.part 2>/dev/null)" ] || fail "something was left beside a file"

# element types: whole numbers where they fit, floats to f32
npy '|u1' '(2,)' '\007\377' >u8.npy
npy '|i1' '(2,)' '\007\377' >i8.npy
npy '|b1' '(2,)' '\001\000' >bool.npy
npy '<u2' '(2,)' '\007\000\000\001' >u16.npy
status 0 "$PTM" run m.ptm --entry whole --input a=u16.npy --input b=i8.npy --input c=u8.npy --input d=bool.npy
says "a i64[2]
 7 256
b i8[2]
 7 -1
c u8[2]
 7 255
d bool[2]
 true false"
status 1 "$PTM" run m.ptm --entry whole --input a=i8.npy --input b=u8.npy --input c=u16.npy --input d=i8.npy
says "u8.npy: its element 1 is 255, which i8 of the input b cannot hold"
says "u16.npy: its element 1 is 256, which u8 of the input c cannot hold"
says "i8.npy is i8[2], but the input d of whole is bool[N]: save it as bool"
npy '<f8' '(1, 3)' '\000\000\000\000\000\000\360\077\000\000\000\000\000\000\360\177\000\000\000\000\000\000\370\177' >f64.npy
status 0 "$PTM" run m.ptm --entry twice --input f64.npy
says " 2 inf nan"

# any leading axes; a tensor with a default may be left out
npy '|b1' '(2, 3)' '\001\001\000\000\000\001' >mask.npy
npy '<f4' '(2, 1, 2)' "$(f32 1 2 3 4)" >deep.npy
status 0 "$PTM" run m.ptm --entry masked --input deep.npy
says " [0, 0] 2 4
 [1, 0] 6 8"
status 0 "$PTM" run m.ptm --entry masked --input x=x.npy --input mask=mask.npy
says " 2 4 0
 0 0 12"
status 1 "$PTM" run m.ptm --entry masked --input x=deep.npy --input mask=mask.npy
says "argument mask of masked: expected bool[..S, N]"
status 1 "$PTM" run m.ptm --entry masked --input mask=mask.npy --input maks=x.npy
says "did you mean mask?"
status 1 "$PTM" run m.ptm --entry masked --input mask=mask.npy
says "masked wants more inputs: --input x=FILE.npy (f32[..S, N])"

# states: kept from run to run by files
npy '<f4' '(2,)' "$(f32 1 2)" >v.npy
status 0 "$PTM" run m.ptm --entry add --input v.npy --save-states s.npz
says " 2 3"
status 0 "$PTM" run m.ptm --entry add --input v.npy --states s.npz
says " 3 5"
status 1 "$PTM" run m.ptm --entry add --input v.npy --states b.npz
says "b.npz has no array total"
"$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npy -o total.npz
status 1 "$PTM" run m.ptm --entry twice --input x.npy --save-states s.npz
says "twice has no states"

# what is wrong with the command
status 2 "$PTM" run m.ptm
says "--entry NAME is missing"
status 2 "$PTM" run m.ptm --entry twice --input x.npy -o
says "wants a value"
status 2 "$PTM" run m.ptm --entry twice --input x=x.npy --input x=x.npy
says "says x twice"
status 2 "$PTM" run m.ptm --entry twice --inputs x.npy
says "did you mean --input?"
status 1 "$PTM" run m.ptm --entry twise --input x.npy
says "there is no fn twise to run; did you mean twice?"
status 1 "$PTM" run m.ptm --entry pick
says "pick wants more inputs: --input x=FILE.npy (f32[B, N]) --input ids=FILE.npy (i32[N])"
status 1 "$PTM" run m.ptm --entry pick --input x.npy
says "x.npy: for which input? --input NAME=x.npy; the inputs of pick are: x: f32[B, N], ids: i32[N]"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input idds=ids.npy
says "ids.npy: pick has no input idds; did you mean ids?"
status 1 "$PTM" run m.ptm --entry pick --input x=- --input ids=- <x.npy
says "standard input (-) is wanted twice"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npy --output tow=a.npy
says "pick has no result tow; did you mean row?"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=ids.npy -o a.npy
says "a .npy file holds one array, pick has 3 results"
status 1 "$PTM" run m.ptm --entry twice --input x.npy --output a.npy --output twice=a.npy
says "a.npy is said twice"
status 1 "$PTM" run m.ptm --entry twice --text "a b"
says "--text gives ids, i32[T] or i32[B, T], but the input x of twice is f32[B, 3]"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --text "a b"
says "the model has no tokenizer"

# what is wrong with an array
npy '<f4' '(3,)' "$(f32 1 2 3)" >rank.npy
npy '<f4' '(1, 5)' "$(f32 1 2 3 4 5)" >dims.npy
npy '<f4' '(0, 3)' '' >none.npy
npy '|O' '(1,)' '\200\004N.' >object.npy
npy '<i4' '(2, 3)' "$(i32 1 2 3 4 5 6)" >whole.npy
npy '<i4' '(3,)' "$(i32 0 3 0)" >far.npy
npy '<i4' '(2,)' "$(i32 0 1)" >short.npy
head -c 90 x.npy >cut.npy
echo "1 2 nan" >text.npy
wrong() {
    status 1 "$PTM" run m.ptm --entry twice --input x="$1"
    says "$2"
}
wrong rank.npy "rank.npy is f32[3], but the input x of twice is f32[B, 3]"
wrong dims.npy "dims.npy is f32[1, 5], but the input x of twice is f32[B, 3]"
wrong none.npy "none.npy is f32[0, 3]: an input has at least one element"
wrong whole.npy "whole.npy is i32[2, 3], but the input x of twice is f32[B, 3]: save it as floating-point numbers"
wrong object.npy "object.npy: it holds Python objects (pickled)"
wrong cut.npy "cut.npy: its type and shape say 24 bytes of elements, but there are 23: cut off, at byte 67"
wrong text.npy "text.npy: neither a .npy nor a .npz file"
wrong missing.npy "cannot open missing.npy: No such file"
wrong . ". is a directory"
status 1 "$PTM" run m.ptm --entry pick --input x=rank.npy --input ids=x.npy
says "rank.npy is f32[3], but the input x of pick is f32[B, N]"
says "x.npy is f32[2, 3], but the input ids of pick is i32[N]"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=short.npy
says "m.ptm:4:23: error: argument ids of pick: expected i32[N] with 3"
status 1 "$PTM" run m.ptm --entry pick --input x=x.npy --input ids=far.npy
says "m.ptm:7:15: index 3 is outside its axis of 3"
"$PTM" run m.ptm --entry twice --input x.npy -o all.npz
head -c 150 all.npz >cut.npz
wrong cut.npz "cut.npz: not a zip archive, or cut off"
status 1 "$PTM" run m.ptm --entry twice --input all.npz
says "twice in all.npz: twice has no input twice; its inputs are: x: f32[B, 3]"

# what is wrong with where results go
full() {
    status 1 "$PTM" run m.ptm --entry twice --input x.npy "$@"
    says "No space left on device"
}
full -o /dev/full
full -o /dev/full --output twice=kept.npy
cmp a.npy kept.npy
[ -c /dev/full ] || fail "/dev/full was replaced"
got=0
"$PTM" run m.ptm --entry twice --input x.npy >/dev/full 2>out || got=$?
[ $got = 1 ] || fail "a full disk behind standard output: status $got"
status 1 "$PTM" run m.ptm --entry twice --input x.npy -o none/a.npy
says "none/a.npy"
status 1 "$PTM" run m.ptm --entry twice --input x.npy -o .
says "cannot write: Is a directory"
"$PTM" run m.ptm --entry twice --input x.npy -o - | true      # a reader that reads nothing
