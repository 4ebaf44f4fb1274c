#!/bin/sh
# What `cmake --install` puts in place is enough: the command, its manual page and completions; programs that build
# against libptm with pkg-config and with CMake. usage: install.sh BUILD SOURCE VERSION
set -eu
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
build=$(realpath "$1") source=$(realpath "$2") version=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
export PTM_CACHE=off
fail() { echo "$@"; exit 1; }

cmake --install "$build" --prefix "$prefix" >"$work/log" 2>&1 || { cat "$work/log"; fail "it does not install"; }
[ "$("$prefix/bin/ptm" --version)" = "ptm $version" ] || fail "the installed command does not run"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name ptm.pc)")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion ptm)" = "$version" ] || fail "pkg-config says another version"

page=$prefix/share/man/man1/ptm.1
for command in $("$prefix/bin/ptm" help | sed -n 's/^  \([a-z]\+\) .*/\1/p'); do
    grep -q "^.SS ptm $command" "$page" || fail "the manual page has no $command"
    for script in bash-completion/completions/ptm fish/vendor_completions.d/ptm.fish zsh/site-functions/_ptm; do
        grep -qw "$command" "$prefix/share/$script" || fail "$script does not complete $command"
    done
done
if command -v groff >"$work/which"; then
    groff -man -Tutf8 -ww "$page" >"$work/page" 2>"$work/warnings"
    [ ! -s "$work/warnings" ] || { cat "$work/warnings"; fail "groff warns about the manual page"; }
fi
if command -v bash >"$work/which"; then
    bash -c '. "$1"; COMP_WORDS=(ptm train --ste) COMP_CWORD=2; _ptm; [ "${COMPREPLY[*]}" = --steps ]' bash \
        "$prefix/share/bash-completion/completions/ptm" || fail "bash does not complete --steps"
fi

# Programs with the library: the installed header alone, in C and C++; the example by pkg-config and by CMake.
cc=${CC:-cc} flags=$(pkg-config --cflags ptm)
# shellcheck disable=SC2086
for core in ptm $(cd "$prefix/include/ptm" && find . -name '*.h' | sed 's|^\./||; s|\.h$||'); do
    echo "#include <$core.h>" >"$work/alone.c"
    "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -D_POSIX_C_SOURCE=200809L $flags \
        "-I$prefix/include/ptm" "$work/alone.c" || fail "$core.h is no C99 by itself"
    cp "$work/alone.c" "$work/alone.cc"
    if command -v g++ >"$work/which"; then
        g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $flags "-I$prefix/include/ptm" "$work/alone.cc" ||
            fail "$core.h is no C++17 by itself"
    fi
done
mkdir "$work/a" "$work/b"
cp "$source"/models/embed/inside.c "$work/b"
# shellcheck disable=SC2046,SC2086
"$cc" -Wall -Wextra -Werror "$source/models/embed/inside.c" -o "$work/a/inside" $flags $(pkg-config --libs ptm) \
    "-Wl,-rpath,$(pkg-config --variable=libdir ptm)" ${INSTALL_TEST_FLAGS-}
cat >"$work/b/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(inside LANGUAGES C)
find_package(ptm REQUIRED)
add_executable(inside inside.c)
target_link_libraries(inside PRIVATE ptm::ptm)
END
cmake -G Ninja -S "$work/b" -B "$work/b/out" -DCMAKE_PREFIX_PATH="$prefix" \
    "-DCMAKE_C_FLAGS=${INSTALL_TEST_FLAGS-}" >"$work/log" 2>&1 &&
    cmake --build "$work/b/out" >>"$work/log" 2>&1 || { cat "$work/log"; fail "it does not build with CMake"; }

# Both are `ptm train` and `ptm run` in a program: the same bits.
small="--set layers=1 --set width=16 --set heads=2 --set context=8 --steps 20"
model=$prefix/share/ptm/models/gpt.ptm
cd "$work/a"
# shellcheck disable=SC2086
./inside "$model" $small >out
# shellcheck disable=SC2086
(cd "$work/b" && out/inside "$model" $small --threads 1 >out.txt && cmp out.txt "$work/a/out")
# shellcheck disable=SC2086
"$prefix/bin/ptm" train "$model" $small --quiet --out run
loss=$(sed -n 's/.*"step": 20,.*"loss": \([^,]*\),.*/\1/p' run/metrics.jsonl)
grep -q "^step 20  loss $loss\$" out || { cat out; fail "the program's loss is not $loss"; }
# shellcheck disable=SC2086
"$prefix/bin/ptm" run "$model" ${small% --steps*} --entry logits --text "aaaaaaaa" --weights run -o logits=a.npy
cp run/tok.tokenizer .
# shellcheck disable=SC2086
"$prefix/bin/ptm" run "$model" ${small% --steps*} --entry logits --text "aaaaaaaa" --weights inside.safetensors \
    -o logits=b.npy 2>warnings
cmp a.npy b.npy || fail "the saved weights are not those of the run"

# Text, token by token, is what `ptm generate` writes.
# shellcheck disable=SC2046,SC2086
"$cc" -Wall -Wextra -Werror "$source/models/embed/write.c" -o write $flags $(pkg-config --libs ptm) \
    "-Wl,-rpath,$(pkg-config --variable=libdir ptm)" ${INSTALL_TEST_FLAGS-}
# shellcheck disable=SC2086
./write "$model" "the " 4 ${small% --steps*} --weights run >written
# shellcheck disable=SC2086
"$prefix/bin/ptm" generate "$model" ${small% --steps*} --weights run --prompt "the " --length 4 >generated
cmp written generated || { cat written generated; fail "the program writes another text than ptm generate"; }
status=0
# shellcheck disable=SC2086
./write "$model" "the " 9 ${small% --steps*} --weights run >written 2>errors || status=$?
[ $status = 1 ] || { cat errors; fail "a full context is no error"; }

# Errors come as text, with the places.
status=0
./inside "$source/tests/errors/names.ptm" 2>errors || status=$?
[ $status = 1 ] && grep -q 'names.ptm:.*error: ' errors || { cat errors; fail "errors do not arrive"; }
status=0
./inside "$model" --steps=x 2>errors || status=$?
[ $status = 1 ] && grep -q -- '--steps wants a whole number' errors || { cat errors; fail "flags are not checked"; }

# Callers who are wrong get an error.
# shellcheck disable=SC2046,SC2086
"$cc" -Wall -Wextra -Werror "$source/tests/objects/misuse.c" -o misuse $flags $(pkg-config --libs ptm) \
    "-Wl,-rpath,$(pkg-config --variable=libdir ptm)" ${INSTALL_TEST_FLAGS-}
./misuse "$model" >wrong || { cat wrong; fail "errors do not arrive"; }
