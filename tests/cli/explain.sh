# One line of the source: its values, kernels, operations and places; lines of imported files; lines without values.
. "$TESTS/cli/common"
models=$TESTS/../models
line() { grep -n -- "$2" "$models/$1" | head -1 | cut -d: -f1; }

small="--set layers=2 --set width=16 --set heads=2"
embedding=$(line gpt.ptm "wpe: embedding")
status 0 "$PTM" explain "$models/gpt.ptm:$embedding" $small
says "gpt.ptm:$embedding"
says "elaborated: 9 values made here"
says "gather f32[B, T, 16]"
says "simplified, with gradient and update"
says "scatter f32[V, 16]"
says "makes for this line: gather expand add"
says "saved activations"
says "it is in memory: "
says "ends before "
grep -q "^in all: .* operations of .* stored" out || fail "no totals"

# A line of an imported module, by its label paths, the layers together.
attend=$(line lib/transformer.ptm "attn: attention(")
status 0 "$PTM" explain "$models/gpt.ptm:lib/transformer.ptm:$attend" $small
says "in what it calls"
says "h.0.attn, h.1.attn"
status 0 "$PTM" explain "$models/gpt.ptm:$(line gpt.ptm 'x = h\[i\]: block')" $small
says "ptm explain"

# An activation is not a kernel that reads memory again: it runs where the product is.
status 0 "$PTM" explain "$models/gpt.ptm:lib/transformer.ptm:$(line lib/transformer.ptm "a = act(u)")"
says "runs on each tile of the product before it"

# The body of a loop runs once for each step; both layers have the same kernels.
cell=$(line lib/rnn.ptm "y = act(")
status 0 "$PTM" explain "$models/rnn.ptm:lib/rnn.ptm:$cell" --set width=16 --set layers=2
says "tanh f32[B, 16]"
says ", 50 times"
says "where the loop says"
grep -q "kernel [0-9]*.0 contract.*rnn.1: like kernel [0-9]*.0" out || fail "layers are not put together"

status 0 "$PTM" explain "$models/gpt.ptm:1" $small
says "no value of this program is made in line 1; near it: line"
status 1 "$PTM" explain "$models/gpt.ptm:nothing.ptm:1" $small
says "no value of this program is made in a file nothing.ptm"
status 2 "$PTM" explain "$models/gpt.ptm"
says "which line?"
status 0 "$PTM" explain "$models/gpt.ptm:$(line gpt.ptm 'fn logits')" $small --entry logits --dim B=2 --dim T=4
says "einsum f32[B, T, V]"
