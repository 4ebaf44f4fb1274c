# What `ptm compile` writes, and what it says when it cannot.
. "$TESTS/cli/common"
. "$TESTS/cli/compile_common"
gpt="$root/models/gpt.ptm --set layers=1 --set width=32 --set heads=2 --set context=16"

# shellcheck disable=SC2086
status 0 "$PTM" compile $gpt --entry logits,nll,train --dim B=1,T=16 -o x.o
[ -s x.o ] && [ -s x.h ] || fail "no object, or no header"
status 0 nm -g --defined-only x.o
for name in x_logits x_nll x_train x_train_begin x_init x_error x_params x_train_states x_use_instruction_set; do says " $name"; done

# The header stands alone, in C and in C++.
echo '#include "x.h"' >x.c
status 0 cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I. -c x.c -o alone.o
cp x.c x.cc
if command -v g++ >/dev/null; then status 0 g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I. -c x.cc -o alone.o
else echo "skipped: the header in C++, without g++"; fi

# Other forms of the same.
# shellcheck disable=SC2086
status 0 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --emit llvm -o x.ll
grep -q 'define i32 @x_logits' x.ll || fail "no function in the LLVM text"
# shellcheck disable=SC2086
status 0 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --emit asm -o x.s
grep -q '^x_logits:' x.s || fail "no function in the assembly"
status 0 cc -c x.s -o from_assembly.o
# shellcheck disable=SC2086
status 0 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --emit shared -o libx.so
status 0 nm -D --defined-only libx.so
says " libx_logits"
# shellcheck disable=SC2086
status 1 env PATH=/nowhere "$PTM" compile $gpt --entry logits --dim B=1,T=16 --emit shared -o without.so
says "--emit shared needs a C compiler to link with, and there is no cc here; --emit obj needs none"

# Misuse.
status 2 "$PTM" compile $gpt -o x.o
says "which functions? --entry NAME[,NAME...] is missing"
status 2 "$PTM" compile $gpt --entry logits
says "where to? -o FILE is missing"
status 2 "$PTM" compile $gpt --entry logits -o x.h
says "-o x.h is where the header goes: name the object"
status 2 "$PTM" compile $gpt --entry logits -o x.o --emit exe
says '--emit wants one of obj|asm|llvm|shared, not "exe"'
status 2 "$PTM" compile $gpt --entry logits -o x.o --threads 2
says '--threads wants one of 1|pool, not "2"'
status 2 "$PTM" compile $gpt --entry logits --dim B -o x.o
says '--dim wants NAME=N'

# Bad input: one message, nothing written.
rm -f ./*.o ./*.h
status 1 "$PTM" compile $gpt --entry logit --dim B=1,T=16 -o x.o
says "there is no fn logit to run; did you mean logits?"
status 1 "$PTM" compile $gpt --entry train.last -o x.o
says "--entry train.last: no such stage"
status 1 "$PTM" compile $gpt --entry logits,logits -o x.o
says "logits stands there twice"
status 1 "$PTM" compile $gpt --entry logits,loss -o x.o
says "logits, loss: dimensions need values: give --dim B=N,T=N"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16,K=3 -o x.o
says "--dim K: no entry that is compiled has an open dimension K"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=0 -o x.o
says "--dim T=0: a dimension is a whole number, 1 or more"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --cpu i9000 -o x.o
says "'i9000' is not a recognized processor for this target"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --features +avx9000 -o x.o
says "'+avx9000' is not a recognized feature for this target"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --target nothing-linux -o x.o
says "target nothing-linux:"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --target i686-linux-gnu -o x.o
says "code is made for 64-bit little-endian processors"
status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 -o nowhere/x.o
says "nowhere/x.o.part: cannot write: No such file or directory"
status 1 "$PTM" compile $gpt --entry train --embed-weights absent.safetensors -o x.o
[ -z "$(ls | grep -v -e out -e '^x\.c' -e x.ll -e x.s -e libx)" ] || fail "something was written: $(ls)"

# A disk that is full: what was there stays.
echo old >x.o
echo old >x.h
status 1 sh -c 'ulimit -f 1; trap "" XFSZ; "$@"' sh "$PTM" compile $gpt --entry logits --dim B=1,T=16 -o x.o
says "cannot write: File too large"
[ "$(cat x.o x.h)" = "old
old" ] || fail "half of something was written"
[ -z "$(ls ./*.part 2>/dev/null)" ] || fail "a part was left"
