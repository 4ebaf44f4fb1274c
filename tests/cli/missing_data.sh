# A file that is not there is said once, however often the model reads it.
. "$TESTS/cli/common"
status 1 "$PTM" check "$TESTS/../models/gpt.ptm" --data text=/nope
says "cannot open /nope"
[ "$(grep -c "cannot open" out)" = 1 ] || fail "said more than once"
