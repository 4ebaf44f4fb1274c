#!/bin/sh
# The house's directions. usage: rooms.sh SOURCES BUILD CC LLVM_INCLUDE
#
# One table says which headers a room may include. Checked with it: every include of every source, that the compiler finds
# no header of another room through a room's own include directory (so that an include against the direction does not
# compile), that the libraries use each other's symbols in the table's direction only, which has no cycle, and that each
# header says in its first comment what it is for and compiles alone.
set -eu
sources=$1 build=$2 CC=$3 llvm=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$sources"
failed=0
fail() {
    echo "$*"
    failed=$((failed + 1))
}

# room, its library, the beginnings of what it may include, the libraries whose symbols it may use
cat >"$work/table" <<'END'
runtime/core  ptm_core      runtime/core/                                                    -
runtime       ptm_train     runtime/                                                         ptm_core
ir            ptm_ir        ir/,runtime/core/dtype.def,runtime/core/block.def,runtime/core/random.h    -
passes        ptm_passes    passes/,ir/                                                      ptm_ir
codegen       ptm_codegen   codegen/,ir/,runtime/core/                                       ptm_ir,ptm_core
frontend      ptm_frontend  frontend/,ir/,parse.h,scan.h                                     ptm_ir
END

# The files of a room: those below its folder but the rooms inside of it.
files() {
    case $1 in
    runtime) find runtime -name "$2" -not -path 'runtime/core/*' ;;
    frontend) find frontend -name "$2" -not -path 'frontend/cli/*' ;;
    *) find "$1" -name "$2" ;;
    esac | sort
}

# allowed HEADER BEGINNINGS: one of them begins the header, which is none of the command's.
allowed() {
    case $1 in frontend/cli/*) return 1 ;; esac
    for beginning in $(echo "$2" | tr , ' '); do
        case $1 in "$beginning"*) return 0 ;; esac
    done
    return 1
}

# sees ROOM_LIBRARY <FILE: compiles a text as a source of the room. From the empty directory, where nothing else is found.
sees() {
    (cd "$work/empty" && $CC -std=gnu17 -Wall -Wextra -Wpedantic -fsyntax-only -I "$build/rooms/$1" -isystem "$llvm" \
        -I "$build/frontend" -xc - >"$work/messages" 2>&1)
}

mkdir "$work/empty"
while read -r room library may uses; do
    for pattern in '*.c' '*.h' '*.l' '*.y'; do
        files "$room" "$pattern"
    done | xargs grep -Hoh -E '^# *include "[^"]*"' | sed 's/.*"\(.*\)"/\1/' | sort -u >"$work/included"
    while read -r header; do
        allowed "$header" "$may" || fail "$room includes $header"
    done <"$work/included"

    : >"$work/against.c"
    for header in $(find ir passes codegen runtime frontend -name '*.h' | sort); do
        if ! allowed "$header" "$may"; then
            printf '#if __has_include("%s")\n#error "%s is found in %s"\n#endif\n' "$header" "$header" "$room" >>"$work/against.c"
        elif files "$room" '*.h' | grep -qx "$header"; then
            printf '#include "%s"\nextern int not_empty;\n' "$header" | sees "$library" && ! [ -s "$work/messages" ] ||
                fail "$header does not compile alone:" "$(cat "$work/messages")"
        fi
    done
    echo "extern int not_empty;" >>"$work/against.c"
    sees "$library" <"$work/against.c" || fail "$(grep 'error: ' "$work/messages")"

    # The newest: a build directory keeps what a library was called before.
    archive=$(find "$build" \( -name "lib$library.a" -o -name "lib$(echo "$library" | tr _ -).a" \) -exec ls -t {} + | head -1)
    [ -f "$archive" ] || fail "no archive of $library"
    nm --defined-only -A "$archive" | awk -v lib="$library" '$2 ~ /^[TDBRVWC]$/ { print $3, lib }' >>"$work/defined"
    nm -u "$archive" | awk -v lib="$library" -v uses="$uses" '$1 == "U" { print $2, lib, uses }' | sort -u >>"$work/used"
done <"$work/table"

awk 'FNR == NR { home[$1] = $2; next }
     ($1 in home) && home[$1] != $2 && index("," $3 ",", "," home[$1] ",") == 0 && !seen[$2, home[$1]]++ {
         printf "%s uses %s of %s\n", $2, $1, home[$1] }' "$work/defined" "$work/used" >"$work/against"
while read -r line; do fail "$line"; done <"$work/against"

for header in $(find ir passes codegen runtime frontend -name '*.h' | sort); do
    sed -n 1p "$header" | grep -q '^/\* .\{12,\}' || fail "$header does not begin with its purpose"
    grep -q '^#ifndef PTM_' "$header" || fail "$header has no guard"
done
[ $failed = 0 ] && echo "rooms: all includes and symbols in the table's direction"
[ $failed = 0 ]
