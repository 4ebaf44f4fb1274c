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

# So does one of names that differ in case or in a dot alone, or are words of C.
cat >names.ptm <<'MODEL'
param a_b: f32[3] = 1
param A_b_: f32[3] = 1
module scale(x: f32[B, 3]) { param b: f32[3] = 1
  return x * b }
fn f(class: f32[B, 3], work: f32[B, 3], Work_: f32[3], int64_t: f32[B, 3]) -> f32[B, 3] {
  y = a: scale(class)
  return y * work * Work_ + int64_t * a_b + A_b_
}
fn words(uint8_t: f32[B, 3], int64_t: i32[B], nullptr: i64[B], compl: i64[B]) -> f32[B, 3] {
  return uint8_t * a_b + f32(reshape(int64_t, [B, 1])) + f32(sum(nullptr) + sum(compl))
}
fn F(x: f32[3], X: f32[B, 3]) -> f32[B, 3] { return x + X }
MODEL
status 0 "$PTM" compile names.ptm --entry f,F,words --dim B=2 -o x.o
for macro in 'X_F_WORK_BYTES' 'X_F__WORK_BYTES' 'X_F__X__COUNT 6' 'X_PARAM_AT_A_B_ '; do
    grep -q "define $macro" x.h || fail "no macro $macro"
done
status 0 cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I. -c x.c -o alone.o
if command -v g++ >/dev/null; then status 0 g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I. -c x.cc -o alone.o; fi
rm names.ptm

# Where a model lies is in no header, nor what its path may do to a comment.
printf 'fn f(x: f32[3]) -> f32[3] { return x }\n' >here.ptm
mkdir -p 'a*'
cp here.ptm 'a*/'
status 0 "$PTM" compile here.ptm --entry f -o x.o
cp x.h here.h
status 0 "$PTM" compile 'a*/here.ptm' --entry f -o x.o
cmp x.h here.h
rm -r here.ptm here.h 'a*'

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
echo '#include <stdio.h>
#include "libx.h"
int main(void) { puts(libx_error(libx_logits(0, NULL, NULL, NULL, NULL, NULL))); return 0; }' >use.c
status 0 cc -I. use.c -L. -lx -o use
status 0 env LD_LIBRARY_PATH=. ./use
says "the header and the object come from different builds"
rm use use.c
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
status 2 "$PTM" compile $gpt --entry logits -o -
says "-o -: an object and its header are two files"
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

status 1 "$PTM" compile $gpt --entry logits --dim B=1,T=16 --weights absent.safetensors -o x.o
says "absent.safetensors"
status 1 "$PTM" compile "$root/models/lstm.ptm" --set unit=chars --entry next --dim B=1,T=1 --dim B=2 -o x.o
says "the state rnn.0.h is f32[1, 200] for one function, or set of dimensions, and f32[2, 200] for another"
says "compile them into objects of their own"

# A disk that is full: what was there stays.
echo old >x.o
echo old >x.h
status 1 sh -c 'ulimit -f 1; trap "" XFSZ; "$@"' sh "$PTM" compile $gpt --entry logits --dim B=1,T=16 -o x.o
says "cannot write: File too large"
[ "$(cat x.o x.h)" = "old
old" ] || fail "half of something was written"
[ -z "$(ls ./*.part 2>/dev/null)" ] || fail "a part was left"

# A rate that follows evaluations asks for what they gave so far.
cat >stalled.ptm <<'M'
data {
  const tok = chars(read("text")), V = size(tok)
  batch = windows(tok(read("text")), length = 9, batch = 8, shuffle = true)
}
fn nll(ids: i32[B, T+1]) -> f32[B, T] {
  return cross_entropy(head: linear(tanh(body: embedding(ids[:, :-1], V, 8)), V), ids[:, 1:])
}
fn loss(ids: i32[B, T+1]) -> f32 { return mean(nll(ids)) }
fn stalled(rate, v: f32[K]) -> f32 { return rate * 0.5 ^ sum(f32(v[1:] >= v[:-1] - 10.0)) }
train {
  minimize loss(batch)
  using adam(lr = stalled(0.02, loss))
  evaluate loss = mean(nll(batch)), every = 10
  steps 40
}
M
status 0 "$PTM" compile stalled.ptm --entry train -o stalled.o
grep -q '^ \* history_loss: f32\[[0-9]*\]; what the evaluation has given so far' stalled.h || fail "no history: $(cat stalled.h)"
