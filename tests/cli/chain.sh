# The middle of a long chain of calls is left out, and a name nobody wrote by hand is cut.
. "$TESTS/cli/common"
status 1 "$PTM" check "$TESTS/errors/circles.ptm"
says "note: … 6 more calls …"
name=$(printf '%0100000d' 0 | tr 0 a)
echo "fn f(x: f32[B]) -> f32[B] { return x + $name }" >long.ptm
status 1 "$PTM" check long.ptm
[ "$(wc -c <out)" -lt 2000 ] || fail "a name of 100 kB is printed whole"
echo 'module mlp(x: f32[B, 4]) -> f32[B, 4] { return up: linear(x, 4) }' >module.ptm
status 1 "$PTM" dump module.ptm --entry mlp
says "mlp is a module, not a fn"
