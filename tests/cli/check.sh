# The gallery has no errors and no warnings; all errors of a file come at once, with place, line and caret.
. "$TESTS/cli/common"

for model in "$TESTS"/../models/*.ptm; do
    data_of "$model"
    # shellcheck disable=SC2086
    status 0 "$PTM" check "$model" $data
    [ "$(wc -l <out)" = 1 ] || fail "$model: $(cat out)"
done
cat >wrong.ptm <<'END'
fn f(x: f32[B, T]) -> f32[T, B] {
  return x
}
fn g(x: f32[B]) -> f32[B] { return x + y }
END
status 1 "$PTM" check wrong.ptm
cat >wanted <<'END'
wrong.ptm:2:10: error: the result: expected f32[T, B], found f32[B, T]
      return x
             ^
wrong.ptm:4:40: error: unknown name y
    fn g(x: f32[B]) -> f32[B] { return x + y }
                                           ^
END
diff wanted out

# An error in an imported file is shown there, with the call that led to it.
mkdir lib
echo 'fn labelled(x: f32[B, 4]) -> f32[B, 4] { return a: linear(x, 4) }' >lib/labelled.ptm
cat >uses.ptm <<'END'
import "lib/labelled.ptm"
fn f(x: f32[B, 4]) -> f32[B, 4] { return labelled(x) }
END
status 1 "$PTM" check uses.ptm
says "lib/labelled.ptm:1:49: error: a fn of a file imported without"
says "uses.ptm:2:42: note: in call of labelled"
