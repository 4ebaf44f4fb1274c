# Help prints the tables: every primitive and every fn of the prelude with its arguments and a sentence, and so on.
. "$TESTS/cli/common"
status 0 "$PTM" help functions
says "  window(x, size, axis = none, step = none)"
says "  where(condition, a, b)"
says "  module linear(x: f32[..S, I]; O, plain = false,"
says "      e^x / sum(e^x); zeros for a row of -inf"
says "      max(x, -x)"
for file in "$TESTS"/../frontend/prelude/*.ptm; do
    sed -n 's/^\(fn\|module\) \([a-z_0-9]*\)(.*/\2/p' "$file" | while read -r name; do
        says " $name("
    done
done

# Every row has its line, in 120 columns.
for topic in commands functions ops optimizers passes schedules settings sources words; do
    status 0 "$PTM" help $topic
    LC_ALL=C tr -d '\200-\277' <out | awk 'length($0) > 120' >wide
    [ -s wide ] && fail "help $topic: lines of more than 120 columns: $(cat wide)"
done
bare() {
    status 0 "$PTM" help "$1"
    awk '/^  [^ ]/ { if (name) print name; name = $0 } /^      [^ ]/ { name = "" } END { if (name) print name }' out >rows
    [ -s rows ] && fail "help $1: rows without a line: $(cat rows)"
    return 0
}
bare functions
bare optimizers
bare schedules
bare sources

status 0 "$PTM" help optimizers
says "  module adamw(w: f32[..S], g: f32[..S]; lr = 1e-3"
grep -q bias_correction out && fail "bias_correction is no optimizer"
status 0 "$PTM" help schedules
says "  cosine(lr; warmup = 0, floor = 0.0)"
grep -q warmup_steps out && fail "warmup_steps is no schedule"
status 0 "$PTM" help commands
says "lay model files out in the one way"

# The words are known to the language: reserved ones cannot be names, constants and values can be read.
status 0 "$PTM" help words
cp out words
of_kind() {
    awk -v kinds="$1" '/^  [a-z]/ { kind = $1; $1 = "" } index(kinds, kind)' words
}
set -- $(of_kind "keyword operator literal")
[ $# = 25 ] || fail "$# words instead of 25: $*"
for word; do
    printf 'fn f(%s: f32[B]) -> f32[B] { return 1 }\n' "$word" >reserved.ptm
    status 1 "$PTM" check reserved.ptm
done
for word in $(of_kind "constant value"); do
    cat >value.ptm <<END
module m(w: f32[..S], g: f32[..S]; lr = 1) -> f32[..S] {
  value = $word
  return w - g
}
data {
  const tok = bytes()
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param t: f32[256, 256]
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(t[ids[:, :-1]], ids[:, 1:])) }
train { minimize loss(batch); using m(); steps 3 }
END
    status 0 "$PTM" dump value.ptm --stage update
done
