#!/bin/sh
# After the tests of a build of type Coverage: does a test provoke every message of the sources? usage: messages.sh BUILD
#
# The tests ran with LLVM_PROFILE_FILE=BUILD/profiles/%2m.profraw. Prints the texts that were never reached, and with
# --coverage the share of lines that were, by file. Exit status 1 when a text is missing.
set -eu
build=$(realpath "$1")
sources=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^CMAKE_C_COMPILER:.*clang-\([0-9]*\)$/-\1/p' "$build/CMakeCache.txt")

"llvm-profdata$version" merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"
set -- "$build/ptm" "${2-}"
report=$2
set -- "$1"
for program in "$build"/*_test "$build"/parity_*; do
    [ -x "$program" ] && set -- "$@" -object "$program"
done
if [ "$report" = --coverage ]; then
    "llvm-cov$version" report "$@" -instr-profile="$build/all.profdata" 2>"$build/coverage.log"
    exit
fi
"llvm-cov$version" export "$@" -instr-profile="$build/all.profdata" -skip-expansions -skip-functions \
    >"$build/coverage.json" 2>"$build/coverage.log"
"$build/messages" "$build/coverage.json" "$sources" "$sources/tests/messages.txt"
