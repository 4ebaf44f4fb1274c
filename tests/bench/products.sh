#!/bin/sh
# Own products beside OpenBLAS, unpinned or told by $PIN (Haswell) which kernels to take, shape by shape, with one thread and with all:
# fastest of $ROUNDS (41) rounds in alternation, and the ratio of medians. usage: tests/bench/products.sh [SHAPE ..], a SHAPE as
# 256x768x3072:nt:12 (layout and batch may be left out); $BUILD the build directory.
set -eu
build=${BUILD:-build}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
if [ -n "${PIN:-}" ]; then export OPENBLAS_CORETYPE="$PIN"; fi
ninja -C "$build" bench_products >/dev/null
peaks=$("$build/ptm" bench | awk '/f32 multiply-adds, GFLOP/ { print $(NF - 1), $NF }')
# shellcheck disable=SC2086
set -- $peaks "$@"
one=$1 all=$2
shift 2
echo "peak of multiply-adds: $one GFLOP/s with one thread, $all with all"
"$build/bench_products" "$one" "$all" 1 "${ROUNDS:-41}" "$@"
echo
"$build/bench_products" "$one" "$all" "$(nproc)" "${ROUNDS:-41}" "$@"
