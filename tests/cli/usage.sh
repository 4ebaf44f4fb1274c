# Exit status: 0, 1 for bad input, 2 for misuse of the command line.
. "$TESTS/cli/common"
model=$TESTS/../models/bow.ptm

status 2 "$PTM"
says "usage: ptm COMMAND"
status 0 "$PTM" help
status 0 "$PTM" --help
status 0 "$PTM" --version
status 2 "$PTM" chekc
says "did you mean check?"
for command in check data dump train eval generate; do
    status 0 "$PTM" "$command" --help
    says "usage: ptm $command"
    status 2 "$PTM" "$command"
    status 2 "$PTM" "$command" "$model" --no-such-flag
    status 2 "$PTM" "$command" "$model" another.ptm
    status 1 "$PTM" "$command" missing.ptm
    says "missing.ptm"
done
status 2 "$PTM" check "$model" --set
status 2 "$PTM" check "$model" --set width
status 2 "$PTM" train "$model" --steps many
status 2 "$PTM" train "$model" --steps -1
status 2 "$PTM" generate "$model" --temperature -1
status 1 "$PTM" eval "$model"
says "--weights"
"$PTM" check "$model" >/dev/full 2>err && fail "a full disk is not success"
grep -q "cannot write the output" err || fail "no word about the full disk"
status 2 "$PTM" train "$model" --threads 65
says "--threads wants a whole number from 0 to 64"
status 2 "$PTM" train "$model" --steps 9000000000000000000
status 2 "$PTM" generate "$model" --length 4611686018427387904
says "--length wants a whole number from 0 to"
status 2 "$PTM" train "$model" --data train=a.tsv --data train=b.tsv
says "--data says train twice: a.tsv and b.tsv"
status 2 "$PTM" check "$model" --set penalty=1 --set penalty=1
status 2 "$PTM" check "$model" --dim N=1 --dim N=2
says "--dim says N twice"
status 2 "$PTM" dump "$model" --stage fuze
says "did you mean fuse?"
status 1 "$PTM" check "$model" --set penalti=1
says "did you mean penalty?"
status 0 "$PTM" check "$model" --set penalty=0.001
status 1 "$PTM" check "$model" --dim V=5
says "--dim V=5: V comes from data ("
status 1 "$PTM" check "$model" --dim N=5.5
says "a dimension is a whole number"
status 1 "$PTM" check "$model" --dim N=99999999999999999999
for topic in ops passes settings sources stages check train; do
    status 0 "$PTM" help "$topic"
done

# What completes command lines, and the manual page.
for page in man bash fish zsh; do
    status 0 "$PTM" help "$page"
    says gradcheck
done

# Flags of `ptm compile` that are missing or contradict each other.
status 2 "$PTM" compile "$model"
says "which functions? --entry NAME[,NAME...] is missing"
status 2 "$PTM" compile "$model" --entry loss
says "where to? -o FILE is missing"
status 2 "$PTM" compile "$model" --entry loss -o -
says "an object and its header are two files"
status 2 "$PTM" compile "$model" --entry loss -o model.h
says "is where the header goes: name the object"
status 2 "$PTM" compile "$model" --entry loss -o model.o --cpu native --target aarch64-linux-gnu
says "--cpu native is no processor of another --target"
status 2 "$PTM" compile "$model" --entry loss -o model.o --weights a --embed-weights b
says "give --weights or --embed-weights"
status 1 "$PTM" compile "$model" --entry loss,,loss -o model.o
says "--entry loss,,loss: a name is missing"
status 1 "$PTM" compile "$model" --entry train.trian -o model.o
says "--entry train.trian: no such stage"
echo 'fn double(x: f32[B]) -> f32[B] { return 2 * x }' >plain.ptm
status 1 "$PTM" compile plain.ptm --entry train -o model.o
says "plain.ptm has no \`train\` block"
status 1 "$PTM" compile plain.ptm --entry double --dim Bb=3 -o model.o
says "no entry that is compiled has an open dimension Bb"

# Constants that no flag sets, and dimensions that nothing has.
cat >constants.ptm <<'END'
const a, b = [1, 2]
data { const c = size(lines(read("text"))) }
fn f(x: f32[B]; n) -> f32[B] { return x * (a + b + c) * n }
END
status 1 "$PTM" check constants.ptm --set c=3
says "--set c: this constant comes from data"
status 1 "$PTM" check constants.ptm --set a=3
says "--set a: this constant is one of several of a list"
status 1 "$PTM" dump constants.ptm --entry f
says "f cannot be an entry: a parameter lacks its type or its default"

# Files that no model can be.
truncate -s 1G large.ptm
status 1 "$PTM" check large.ptm
says "large.ptm is too large for a model"
status 1 "$PTM" fmt no/such/file.ptm
i=0
while [ $i -lt 300 ]; do
    echo "import \"deep$((i + 1)).ptm\"" >deep$i.ptm
    i=$((i + 1))
done
status 1 "$PTM" check deep0.ptm
says "imports nest more than"
awk 'BEGIN { for (i = 0; i < 3000; i++) print "const c" i " = c" (i + 1); print "const c3000 = 1"
             print "fn f(x: f32[B]) -> f32[B] { return x * c0 }" }' >constants.ptm
status 1 "$PTM" check constants.ptm
says "constants and lines of data wait for each other here"
awk 'BEGIN { for (i = 0; i < 3000; i++) print "fn f" i "(x) { return f" (i + 1) "(x) }"
             print "fn f3000(x) { return x }"
             print "fn f(x: f32[B]) -> f32[B] { return f0(x) }" }' >calls.ptm
status 1 "$PTM" check calls.ptm
says "calls are nested more than"
awk 'BEGIN { for (k = 0; k < 4; k++) { printf "fn f" k "(x: f32[B]) -> f32[B] { return f" (k + 1) "(x)"
                                        for (i = 0; i < 900; i++) printf " + x"; print " }" }
             print "fn f4(x: f32[B]) -> f32[B] { return x }" }' >sum.ptm
status 1 "$PTM" check sum.ptm
says "expressions and calls are nested more than"

# No room for the files of a command.
(TMPDIR=/no/such/folder status 1 "$PTM" bisect "$model" --command 'test -s {}'; says "no file can be made there")

# Run directories that cannot be, stages that are none, and models with errors.
status 1 "$PTM" train "$model" --quiet --out "$(head -c 5000 /dev/zero | tr '\0' a)"
says "aaa...: the path is too long"
: >file
status 1 "$PTM" train "$model" --quiet --out file
says "file: not a directory"
status 1 "$PTM" weights constants.ptm
says "the model has errors"
cat >stages.ptm <<'END'
data {
  const tok = bytes(), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 4)
}
param table: f32[V, V] = 0
fn loss(ids: i32[B, T+1]) -> f32 { return mean(cross_entropy(table[ids[:, :-1]], ids[:, 1:])) }
train {
  minimize loss(batch)
  using sgd(lr = 1.0)
  stage first { steps 2 }
  stage second { steps 2 }
}
END
status 1 "$PTM" compile stages.ptm --entry train.frist -o model.o
says "no such stage; did you mean train.first?"
status 0 "$PTM" train stages.ptm --quiet --out stages
status 1 "$PTM" eval stages.ptm --weights stages --stage first
says "has no \`evaluate\` line in this stage"
status 1 "$PTM" compile stages.ptm --entry train.first -o model.o --embed-weights stages
says "writes parameters, and --embed-weights makes them constants"
echo 'fn wide(x: f32[Rows]) -> f32[Rows] { return 2 * x }' >wide.ptm
status 1 "$PTM" compile wide.ptm --entry wide --dim Row=3 -o model.o
says "has an open dimension Row; did you mean Rows?"
