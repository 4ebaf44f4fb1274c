# Files that are no models end in one clear error.
. "$TESTS/cli/common"

one_error() {
    status 1 "$PTM" check "$1"
    says "$2"
    [ "$(grep -c 'error: ' out)" = 1 ] || fail "more than one error: $(cat out)"
}

: >empty.ptm
one_error empty.ptm "empty.ptm is empty"
printf '# nothing here\n\n' >comment.ptm
one_error comment.ptm "comment.ptm is empty"
printf 'fn f\000' >binary.ptm
one_error binary.ptm "is no text"
printf 'fn f \377' >latin.ptm
one_error latin.ptm "is no UTF-8 text"
# Strictly: no overlong slash, no surrogate, nothing above U+10FFFF, no character cut off; real ones pass.
for wrong in '\300\257' '\340\200\257' '\355\240\200' '\364\220\200\200' '\342\202'; do
    # shellcheck disable=SC2059
    printf "# $wrong" >bytes.ptm
    one_error bytes.ptm "is no UTF-8 text: byte 2 is"
done
printf '# \342\202\254 \360\237\231\202\nfn f(x: f32) -> f32 { return x }\n' >bytes.ptm
status 0 "$PTM" check bytes.ptm
mkdir directory.ptm
one_error directory.ptm "a directory"
truncate -s 20M huge.ptm
one_error huge.ptm "too large"
one_error /dev/zero "no regular file"
printf 'import "self.ptm"\n' >self.ptm
one_error self.ptm "imports itself"
printf 'import "two.ptm"\n' >one.ptm
printf 'import "one.ptm"\n' >two.ptm
one_error one.ptm "imports itself by way of other files"
awk 'BEGIN { printf "fn f(x: f32) -> f32 { return "; for (i = 0; i < 5000; i++) printf "("; print "x }" }' >deep.ptm
one_error deep.ptm "brackets nest more than"
awk 'BEGIN { printf "fn f(x: f32) -> f32 { return x"; for (i = 0; i < 5000; i++) printf " + x"; print " }" }' >long.ptm
one_error long.ptm "nests more than"
awk 'BEGIN { printf "fn f(x: f32) -> f32 { return x"; for (i = 0; i < 900; i++) printf " + x"; print " }" }' >sum.ptm
status 0 "$PTM" check sum.ptm
printf 'fn f(x: f32) -> f32 { return f(x) }\n' >loop.ptm
one_error loop.ptm "calls itself"
printf 'module m(x: f32) -> f32 { return a: m(x) }\n' >loop.ptm
one_error loop.ptm "calls itself"
