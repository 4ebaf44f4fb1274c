# Checkpoints before the last: how many are kept, and that a run whose last one is damaged goes on from the newest whole one to the same
# bits. A run directory that was moved, or is resumed from elsewhere, finds its data or says what is missing.
. "$TESTS/cli/common"
model=$TESTS/../models/gpt.ptm
small="--set layers=1 --set width=16 --set heads=2 --set context=8"
awk 'BEGIN { for (i = 0; i < 400; i++) print "line " i " of a text that is long enough: " i * i }' >t.txt
steps() { (cd "$1" && echo step-*); }
metrics() { sed 's/, "step_s.*//' "$1/metrics.jsonl"; }

# As many as asked for, 1 without a word, none.
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 40 --save-every 5 --keep 3 --out whole --quiet
[ "$(steps whole)" = "step-000025.safetensors step-000030.safetensors step-000035.safetensors" ] || fail "$(steps whole)"
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 10 --save-every 4 --out one --quiet
[ "$(steps one)" = step-000008.safetensors ] || fail "$(steps one)"
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 10 --save-every 4 --keep 0 --out none --quiet
[ "$(steps none)" = "step-*" ] || fail "$(steps none)"
# A checkpoint that is kept is the run as it was then; --keep and --save-every are in the record.
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 40 --save-every 5 --keep 3 --out begun --quiet
cp whole/step-000025.safetensors begun/last.safetensors
status 0 "$PTM" train "$model" --out begun --resume
says "going on after step 25 of 40"
cmp whole/last.safetensors begun/last.safetensors
cmp whole/run.json begun/run.json
[ "$(steps whole)" = "$(steps begun)" ] || fail "$(steps begun)"

# damaged NAME HOW: the last checkpoint of a copy of the run is spoilt, and it goes on.
goes_on() {
    status 0 "$PTM" train "$model" --out "$1" --resume --quiet
    says "warning: $1/last.safetensors: "
    says "$2"
    says "going on from $1/$3, which is whole"
    cmp "whole/last.safetensors" "$1/last.safetensors"
    cmp "whole/best.safetensors" "$1/best.safetensors"
    metrics whole >whole.txt
    metrics "$1" | cmp - whole.txt
    [ "$(steps whole)" = "$(steps "$1")" ] || fail "$(steps "$1")"
}
for kind in cut flipped empty text missing; do
    cp -r whole "$kind"
    last=$kind/last.safetensors
    why=
    case $kind in
    cut) head -c 9000 whole/last.safetensors >"$last"; why="is cut off" ;;
    flipped) head -c 9000 whole/last.safetensors >"$last"; printf 'x' >>"$last"; tail -c +9002 whole/last.safetensors >>"$last"
        why="the file is damaged: its checksum is" ;;
    empty) : >"$last"; why="it has only 0 bytes" ;;
    text) echo "this is not a checkpoint" >"$last"; why="not a safetensors file" ;;
    missing) rm "$last"; why="No such file" ;;
    esac
    goes_on "$kind" "$why" step-000035.safetensors
done
[ -e cut/last.safetensors.damaged ] || fail "what was damaged is gone"

# Two of them.
cp -r whole two
head -c 9000 whole/last.safetensors >two/last.safetensors
: >two/step-000035.safetensors
goes_on two "is cut off" step-000030.safetensors
cp -r whole all
for file in all/last.safetensors all/step-*; do : >"$file"; done
status 1 "$PTM" train "$model" --out all --resume --quiet
says "all holds no other checkpoint that is whole"
# One that is whole but another run's is no damage: it is refused.
cp -r whole other
status 0 "$PTM" train "$model" $small --data text=t.txt --steps 5 --seed 4 --out seed --quiet
cp seed/last.safetensors other/
status 1 "$PTM" train "$model" --out other --resume --quiet
says "this run was started with seed 4"

# Without any checkpoint it begins at step 0 and says so; with only a part of its description too.
cp -r whole first
rm first/*.safetensors first/metrics.jsonl first/tok.tokenizer
status 0 "$PTM" train "$model" --out first --resume
says "first holds no checkpoint: beginning at step 0"
cmp whole/last.safetensors first/last.safetensors
metrics first | cmp - whole.txt
mkdir nothing
status 1 "$PTM" train "$model" --out nothing --resume
says "nothing holds no run to resume"

# From elsewhere: the file is found from where it was named, also when all of it was moved.
mkdir -p project/elsewhere
cp t.txt project/
(cd project && "$PTM" train "$model" $small --data text=t.txt --steps 10 --out runs/a --quiet && cp -r runs/a runs/b)
(cd project/elsewhere && status 0 "$PTM" train "$model" --out ../runs/a --resume --steps 12 --quiet)
status 0 "$PTM" train "$model" --out project/runs/b --resume --steps 12 --quiet
cmp project/runs/a/last.safetensors project/runs/b/last.safetensors
cp -r project/runs project/elsewhere/
mv project moved
status 0 "$PTM" eval "$model" --weights moved/runs/b
rm t.txt
mv moved/t.txt moved/renamed.txt
status 1 "$PTM" train "$model" --out moved/runs/b --resume --steps 14 --quiet
says "which is not there: say where the file is with --data text=FILE"
status 0 "$PTM" train "$model" --out moved/runs/b --resume --steps 14 --quiet --data text=moved/renamed.txt
