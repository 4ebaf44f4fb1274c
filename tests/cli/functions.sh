# Help prints every primitive and every fn of the prelude with its arguments.
. "$TESTS/cli/common"
status 0 "$PTM" help functions
says "  window(x, size, axis = none, step = none)"
says "  where(condition, a, b)"
says "  module linear(x: f32[..S, I]; O, plain = false,"
says "      e^x / sum(e^x); zeros for a row of -inf"
for file in "$TESTS"/../frontend/prelude/*.ptm; do
    sed -n 's/^\(fn\|module\) \([a-z_0-9]*\)(.*/\2/p' "$file" | while read -r name; do
        says " $name("
    done
done
