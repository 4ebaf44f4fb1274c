# The C examples of models/embed: training with an object, whose weights ptm reads; text from parameters that lie in one.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"
small="--set layers=1 --set width=32 --set heads=2 --set context=16 --set rows=8"
model="$root/models/gpt.ptm $small --data text=book.txt"
tr -cd '\11\12\40-\176' <"$root/README.md" >book.txt

# shellcheck disable=SC2086
status 0 "$PTM" compile $model --steps 600 --entry train -o gpt.o
# shellcheck disable=SC2086
build_c train "$root/models/embed/train.c" gpt.o
status 0 ./train book.txt 600 gpt.safetensors
first=$(sed -n 's/^step 1  loss \([0-9]*\).*/\1/p' out) last=$(sed -n 's/^step 600  loss \([0-9]*\).*/\1/p' out)
[ "$last" -lt "$first" ] || fail "the loss goes from $first to $last"
# shellcheck disable=SC2086
status 0 "$PTM" eval $model --weights gpt.safetensors
says "loss"

# shellcheck disable=SC2086
status 0 "$PTM" train $model --steps 100 --out run --quiet
status 0 "$PTM" compile "$root/models/gpt.ptm" --entry next --dim B=1,T=1 --embed-weights run -o gpt.o
# shellcheck disable=SC2086
build_c generate -DCONTEXT=16 "$root/models/embed/generate.c" gpt.o -lm
status 0 ./generate run/tok.tokenizer "the " 60
[ "$(wc -c <out)" = 65 ] || fail "$(wc -c <out) bytes of text"
# A header of another build: the program says so, and does nothing.
sed -i 's/^#define GPT_ABI .*/#define GPT_ABI UINT64_C(1)/' gpt.h
# shellcheck disable=SC2086
build_c other -DCONTEXT=16 "$root/models/embed/generate.c" gpt.o -lm
status 1 ./other run/tok.tokenizer "the " 60
says "the header and the object come from different builds"
status 1 ./generate book.txt "the " 60
says "book.txt: not the tokenizer of this model"
