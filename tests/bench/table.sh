#!/bin/sh
# The table of speeds: training steps, forward passes and decoding beside PyTorch and ONNX Runtime, in alternation, as Markdown.
# usage: tests/bench/table.sh [--install] [--rounds N] [--samples DIR] [ROW ..] [-- FLAG ..]
#   --install      install the peers first: Debian's python3-torch, onnxruntime-node from npm (into $PEERS, default build/peers)
#   --rounds N     how often each party is measured (default 3); medians of their medians are printed. Of PyTorch's set-ups those
#                  that the first round finds a quarter slower than the fastest are left out afterwards.
#   --samples DIR  keep the times there, and count those that an earlier run has left; --rounds 0 prints what there is
#   ROW ..         only rows whose names begin so (gpt2 gpt2-4x64 lstm bert decode products bits; `--rows` lists them)
#   -- FLAG ..     flags for every `ptm`, such as --blas none
# $PTM the command, $UNDER what runs each program that is measured, such as "taskset -c 0,1"; two threads each.
#
# floor: the time of the fewest operations at the multiply-adds a second, and of the fewest bytes at the bytes a second, that `ptm bench`
# measures in the same run. A training step multiplies, then reads weights, gradients and two moments and writes all but the gradients:
# the sum of both times. A forward pass reads its weights while it multiplies: the larger one. Of causal attention half the pairs count.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/peers.sh
. tests/bench/rows.sh
ptm=${PTM:-build/ptm} rounds=3 samples='' chosen='' flags=''
while [ $# -gt 0 ]; do
    case $1 in
    --install) install_peers && exec "$0" --rounds 0 ;;
    --rounds) rounds=$2 && shift ;;
    --samples) samples=$2 && shift ;;
    --rows) { sed -n 's/^ *[a-z]* \([a-z0-9-]*\) ".*/\1/p' tests/bench/rows.sh && printf 'products\nbits\n'; } && exit ;;
    --) shift && flags=$* && break ;;
    -*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
    *) chosen="$chosen $1" ;;
    esac
    shift
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
samples=${samples:-$scratch/samples}
mkdir -p "$samples"

# The value of an arithmetic expression.
value() { awk "BEGIN { printf \"%.6g\", ($1) }"; }

# Is the row wanted? Makes $row its folder of samples.
row_of() {
    row=$samples/$1
    wanted "$1" && mkdir -p "$row"
}

# sample NAME COMMAND ..: what it prints, a number on a line, joins the row's samples of that name.
sample() {
    name=$1
    shift
    "$@" >"$scratch/out" 2>"$scratch/err" || { echo "$row, $name:" && cat "$scratch/err"; } >&2
    awk 'NF { print $1 }' "$scratch/out" >>"$row/$name"
}
of() { [ ! -f "$row/$1" ] || median <"$row/$1"; }        # the median of the row's samples of that name

# The multiply-adds a second, and the bytes of a weight, that these flags ask for.
peak_of() { case $* in *bf16*) of bf16 ;; *) of peak ;; esac; }
bytes_of() { case $* in *bf16*) echo 2 ;; *) echo 4 ;; esac; }

# What `ptm bench` prints: the limits of the host, the time of the work, the arena.
read_bench() { # NAME: whose time it is
    sed -n 's/^ *f32 multiply-adds, GFLOP\/s.* \([0-9.]*\) *$/peak \1/p; s/^ *bf16 .*GFLOP\/s.* \([0-9.]*\) *$/bf16 \1/p
        s/^ *reading memory, GB\/s.* \([0-9.]*\) *$/read \1/p; s/.*: \([0-9.]*\) ms (fastest.*/'"$1"' \1/p
        s/^arena: *\([0-9.]*\) MiB.*/arena_of_'"$1"' \1/p' "$scratch/bench" | while read -r name number; do echo "$number" >>"$row/$name"; done
}
bench() { # NAME [ARG ..]
    name=$1
    shift
    # shellcheck disable=SC2086
    $under "$ptm" bench "$@" --threads 2 $flags >"$scratch/bench" || echo "ptm bench $*: failed" >&2
    read_bench "$name"
}

# A set-up is measured in the first round, and afterwards if it came near the fastest.
near() {
    [ -s "$row/$1" ] || return 0
    for each in $torch_setups $onnx_setups; do of "$each"; done | sort -n | awk -v own="$(of "$1")" 'NR == 1 { exit !(own <= 1.25 * $1) }'
}

# Measures the row: $ours, arguments of `ptm bench`; $own, others that it is compared with; $theirs, a script for PyTorch and its
# arguments; $onnx, one for node; or nothing.
onnx='' own='' theirs=''
alternate() {
    round=0
    while [ $round -lt "$rounds" ]; do
        # shellcheck disable=SC2086
        bench ptm $ours
        # shellcheck disable=SC2086
        [ -z "$own" ] || bench own $own
        # shellcheck disable=SC2086
        [ -z "$onnx" ] || [ -z "$onnx_setups" ] || sample onnx $under node $onnx
        for setup in $torch_setups; do
            # shellcheck disable=SC2086
            [ -z "$theirs" ] || ! near "$setup" || sample "$setup" torch_in "$setup" $theirs
        done
        round=$((round + 1))
    done
}

# The fastest peer of the row: $peer its milliseconds or nothing, $setup its name. False where ptm was not measured.
fastest() {
    [ -s "$row/ptm" ] || return 1
    peer='' setup='not installed'
    for each in own plain avx512 one openmp onnx; do
        ms=$(of "$each")
        [ -n "$ms" ] || continue
        if [ -z "$peer" ] || [ "$(value "$ms < $peer")" = 1 ]; then peer=$ms setup=$each; fi
    done
    case $setup in
    own) setup="own f32" ;;
    onnx) setup="ONNX Runtime $onnx_version" ;;
    plain | avx512 | one | openmp) setup="PyTorch, $setup" ;;
    esac
}

# print_row TITLE GOAL FLOOR [GOAL_OF_ARENA]: milliseconds and MiB; GOAL and FLOOR are expressions of $peer, $peak, $read, or nothing.
print_row() {
    ms=$(of ptm)
    awk -v title="$1" -v ms="$ms" -v peer="$peer" -v setup="$setup" -v goal="$2" -v floor="$3" -v arena="$(of arena_of_ptm)" -v most="${4:-}" '
        function digits(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x) }
        BEGIN {
            printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, digits(ms),
                peer == "" ? setup : digits(peer) " (" setup ")", peer == "" ? "" : sprintf("%.2f", peer / ms),
                floor == "" ? "" : digits(floor), floor == "" ? "" : sprintf("%.0f %%", 100 * floor / ms),
                arena == "" ? "" : arena (most == "" ? "" : " of " most), goal == "" ? "" : digits(goal),
                goal == "" ? "" : ms > goal + 0 ? sprintf("no: %.0f %% over", 100 * (ms / goal - 1)) : most != "" && arena > most + 0 ? "no: memory" : "yes")
        }'
}

# gpt NAME TITLE GOAL ARENA LAYERS HEADS WIDTH ROWS SPAN VOCABULARY STEPS [FLAG ..]: a step of AdamW with clipping and a tied head; where
# there are flags, beside own f32
gpt() {
    row_of "$1" || return 0
    title=$2 goal=$3 arena=$4 layers=$5 heads=$6 width=$7 rows=$8 span=$9
    shift 9
    vocabulary=$1 steps=$2
    shift 2
    words "$vocabulary" "$scratch/$vocabulary"
    ours="tests/bench/gpt2.ptm --data text=$scratch/$vocabulary --set layers=$layers --set heads=$heads --set width=$width --set rows=$rows \
        --set span=$span --steps $steps"
    if [ $# -gt 0 ]; then own=$ours ours="$ours $*" theirs=''; else theirs="tests/bench/torch_gpt.py --layers $layers --heads $heads \
        --width $width --batch $rows --context $span --vocab $vocabulary --steps $steps --warm 2"; fi
    alternate
    fastest || return 0
    own=
    tokens=$((rows * span)) weights=$((12 * layers * width * width + vocabulary * width))
    operations="(6.0 * $tokens * $weights + 6.0 * $layers * $tokens * $span * $width)"
    bytes="28.0 * ($weights + 1024 * $width)"
    peak=$(peak_of "$@") read=$(of read)
    [ $# = 0 ] || goal="$goal * $peer"
    print_row "$title" "$(value "$goal")" "$(value "$operations / $peak / 1e6 + $bytes / $read / 1e6")" "$arena"
}

# rnn NAME TITLE GOAL CELL GATES WIDTH SPAN STEPS: 2 layers, 20 rows, 10,000 words; SGD with clipping. GOAL: milliseconds, or a share of the floor.
rnn() {
    row_of "$1" || return 0
    title=$2 goal=$3 cell=$4 gates=$5 width=$6 span=$7 steps=$8
    words 10000 "$scratch/10000"
    ours="tests/bench/rnn.ptm --data text=$scratch/10000 --set cell=$cell --set width=$width --set span=$span --steps $steps"
    theirs="tests/bench/torch_rnn.py --cell $cell --width $width --span $span --rows 20 --steps $steps"
    alternate
    fastest || return 0
    weights=$((4 * gates * width * width + 10000 * width))
    peak=$(of peak) read=$(of read)
    # Weights are read and written, their gradients read; rows of the embedding likewise.
    floor=$(value "6.0 * 20 * $span * $weights / $peak / 1e6 + 12.0 * ($weights + 10000 + 20 * $span * $width) / $read / 1e6")
    case $goal in *%) goal="100 * $floor / ${goal%\%}" ;; esac
    print_row "$title" "$(value "$goal")" "$floor"
}

# bert NAME TITLE GOAL SPAN STEPS [FLAG ..]: the encoder of BERT-base, one row
bert() {
    row_of "$1" || return 0
    title=$2 goal=$3 span=$4 steps=$5
    shift 5
    [ -z "$onnx_setups" ] || [ -f "$peers/bert.onnx" ] || "$python" tests/bench/torch_bert.py --export "$peers/bert.onnx" || onnx_setups=
    ours="tests/bench/bert.ptm --entry encode --dim B=1 --dim T=$span --steps $steps $*"
    theirs="tests/bench/torch_bert.py --span $span --steps $steps"
    onnx="tests/bench/onnx_bert.js $peers/bert.onnx 1 $span $steps"
    alternate
    onnx=
    fastest || return 0
    weights=$((12 * 12 * 768 * 768))
    peak=$(peak_of "$@") read=$(of read)
    arithmetic="(2.0 * $span * $weights + 4.0 * 12 * $span * $span * 768) / $peak / 1e6"
    memory="$(bytes_of "$@").0 * $weights / $read / 1e6"
    served=$(of onnx)                    # what the goal is a part of
    print_row "$title" "${served:+$(value "$goal * $served")}" "$(value "$arithmetic > $memory ? $arithmetic : $memory")"
}

# Tokens one after the other, batch 1: a stats line says what one costs.
generate() { # NAME [FLAG ..]
    name=$1
    shift
    # shellcheck disable=SC2086
    $under "$ptm" generate tests/bench/decode.ptm --weights "$scratch/decode" --prompt w0 --length 500 --temperature 0 --threads 2 --stats "$@" \
        $flags 2>"$scratch/stats" >/dev/null || cat "$scratch/stats" >&2
    sed -n 's/^token: \([0-9.]*\) ms.*/\1/p' "$scratch/stats" >>"$row/$name"
    $under "$ptm" bench --threads 2 >"$scratch/bench"
    read_bench "$name"
}
# decode NAME TITLE GOAL BYTES [FLAG ..]: of GPT-2 small, with weights of so many bytes; own f32 beside it where there are flags
decode() {
    row_of "$1" || return 0
    title=$2 goal=$3 bytes=$4
    shift 4
    if [ ! -d "$scratch/decode" ] && [ "$rounds" -gt 0 ]; then
        words 50257 "$scratch/50257"
        "$ptm" train tests/bench/decode.ptm --data text="$scratch/50257" --threads 2 --quiet --out "$scratch/decode"
    fi
    round=0
    while [ $round -lt "$rounds" ]; do
        generate ptm "$@"
        if [ $# -gt 0 ]; then generate own
        else
            for setup in $torch_setups; do ! near "$setup" || sample "$setup" torch_in "$setup" tests/bench/torch_decode.py --tokens 500; done
        fi
        round=$((round + 1))
    done
    fastest || return 0
    read=$(of read)
    # Weights of the layers and of the head once, keys and values of the tokens before.
    floor=$(value "($bytes * (12 * 12 * 768 * 768 + 50257 * 768) + 250 * 2 * 12 * 768 * 4) / $read / 1e6")
    case $goal in *%) goal="100 * $floor / ${goal%\%}" ;; *) goal="$goal * $peer" ;; esac
    print_row "$title" "$(value "$goal")" "$floor"
}

# Own products beside OpenBLAS's on the shapes of these models that have many rows, as it is and told to use kernels for Haswell.
products() {
    row_of "$1" || return 0
    shapes="256x768x768 256x3072x768 256x768x3072 768x3072x256:tn 256x768x3072:nt 1024x768x768 1024x3072x768 1024x768x3072 2048x384x384
        2048x1536x384 768x512x128 512x128x768:tn 128x768x768 128x3072x768 512x3072x768 512x768x3072 700x10000x650 400x10000x200"
    if [ "$rounds" -gt 0 ]; then
        ninja -C "${BUILD:-build}" bench_products >/dev/null
        $under "$ptm" bench --threads 2 >"$scratch/bench"
        peaks=$(awk '/f32 multiply-adds, GFLOP/ { print $(NF - 1), $NF }' "$scratch/bench")
        for core in '' Haswell; do
            # shellcheck disable=SC2086
            $under env ${core:+OPENBLAS_CORETYPE=$core} "${BUILD:-build}/bench_products" $peaks 2 $((6 * rounds + 1)) $shapes >"$row/products$core"
        done
    fi
    [ -f "$row/products" ] || return 0
    for core in '' Haswell; do
        awk -F'|' -v core="$core" 'NR > 2 { n++; ratio[n] = $7; peak[n] = $8 + 0 }
            function median(x, i, j, t) {
                for (i = 1; i <= n; i++) for (j = i; j > 1 && x[j] < x[j - 1]; j--) { t = x[j]; x[j] = x[j - 1]; x[j - 1] = t }
                return x[int((n + 1) / 2)]
            }
            END {
                goal = core == "" ? 1.05 : 2; m = median(ratio); p = median(peak)
                printf "| %d own f32 products, median (least) | | OpenBLAS%s | %.2f (%.2f) | | | %.0f %% (%.0f %%) of peak | | %s |\n", n,
                    core == "" ? "" : " for " core, m, ratio[1], p, peak[1], ratio[1] < goal || peak[1] < 90 ? "not all" : "yes"
            }' "$row/products$core"
    done
}

# The same bits with 1, 2, 3 and 8 threads.
bits() {
    row_of "$1" || return 0
    [ "$rounds" = 0 ] || PTM=$ptm tests/bench/same_bits.sh >"$row/bits" || true
    [ -s "$row/bits" ] || return 0
    awk '{ n++ } !/ same/ { bad++ } END { printf "| same bits with 1, 2, 3 and 8 threads, %d comparisons | | | | | | | | %s |\n", n, bad ? "no: " bad : "yes" }' \
        "$row/bits"
}

echo "| work, two threads | ptm, ms | fastest peer, ms | ratio | floor, ms | share | arena, MiB | goal, ms | reached |"
echo "|---|---|---|---|---|---|---|---|---|"
rows
products products
bits bits
