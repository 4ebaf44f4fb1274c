# Scores of classes, over a pass of several batches: as sklearn.metrics 1.2.1 gives them for the same labels.
. "$TESTS/cli/common"
cat >m.ptm <<'MODEL'
data {
  label, body = tsv("train")
  const kinds = labels(label), tok = words(body), yes = kinds["yes"], found = tok["found"]
  w, y = batches(pad(tok(body)), kinds(label), size = 5)
}
param bias: f32[1] = 0
fn said(w: i32[N, L]) -> f32[N] { return f32(w[:, 0] == found) }
fn there(y: i32[N]) -> f32[N] { return f32(y == yes) }
fn hit(w: i32[N, L], y: i32[N]) -> f32[N] { return said(w) * there(y) }
fn right(w: i32[N, L], y: i32[N]) -> f32[N] { return f32(said(w) == there(y)) }
fn loss(w: i32[N, L]) -> f32 { return bias[0]^2 + 0 * sum(said(w)) }
train {
  minimize loss(w)
  using sgd(lr = 0.1)
  steps 1
  evaluate accuracy = mean(right(w, y))
  evaluate precision = precision(sum(hit(w, y)), sum(said(w)))
  evaluate recall = recall(sum(hit(w, y)), sum(there(y)))
  evaluate f1 = f1(sum(hit(w, y)), sum(said(w)), sum(there(y)))
  evaluate matthews = matthews(sum(hit(w, y)), sum(said(w)), sum(there(y)), sum(1 + 0 * there(y)))
}
MODEL
for line in yes:found no:not yes:not yes:found no:not no:not yes:found no:not yes:found yes:not no:not no:found; do
    printf '%s\t%s it\n' "${line%:*}" "${line#*:}"
done >lines
status 0 "$PTM" train m.ptm --data train=lines --out run --quiet
status 0 "$PTM" eval m.ptm --weights run
says "accuracy     0.750000"
says "precision    0.800000"
says "recall       0.666667"
says "f1           0.727273"
says "matthews     0.507093"
status 0 "$PTM" eval m.ptm --weights run --json
grep -q '^{"accuracy": 0.75, "precision": 0.8[0-9]*, "recall": 0.66666666[0-9]*, "f1": 0.727272727[0-9]*, "matthews": 0.5070925528371[0-9]*}$' out ||
    fail "$(cat out)"
