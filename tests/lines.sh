#!/bin/sh
# How large the house is. usage: lines.sh [SOURCES]
#
# By room: files, lines, and lines of code (neither blank nor comment) of C with flex and bison, of tables (.def) and of
# model files. "compiler" is language, IR, passes and code generation together.
cd "${1:-$(dirname "$0")/..}" || exit 2

# count NAME PATTERN FOLDER ... : one line of the table
count() {
    name=$1 pattern=$2
    shift 2
    find "$@" -regextype posix-extended -regex ".*\.($pattern)" -type f -print0 | sort -z |
        xargs -0 -r awk -v name="$name" '
            FNR == 1 { files++; inside = 0 }
            { lines++; text = $0 }
            FILENAME ~ /\.ptm$/ { sub(/#.*/, "", text); if (text ~ /[^ \t]/) code++; next }
            {
                out = ""
                while (text != "") {
                    if (inside) { at = index(text, "*/"); if (!at) break; text = substr(text, at + 2); inside = 0; continue }
                    at = index(text, "/*"); slashes = index(text, "//")
                    if (slashes && (!at || slashes < at)) { out = out substr(text, 1, slashes - 1); break }
                    if (!at) { out = out text; break }
                    out = out substr(text, 1, at - 1); text = substr(text, at + 2); inside = 1
                }
                if (out ~ /[^ \t]/) code++
            }
            END { printf "%-22s %5d %7d %7d\n", name, files, lines, code }'
}

c='c|h|l|y'
printf '%-22s %5s %7s %7s\n' room files lines code
count "frontend" "$c" frontend/*.[chly]
count "frontend/cli" "$c" frontend/cli
count "ir" "$c" ir
count "passes" "$c" passes
count "codegen" "$c" codegen
count "compiler" "$c" frontend/*.[chly] ir passes codegen
count "runtime/core" "$c" runtime/core
count "runtime, the rest" "$c" runtime/data runtime/text runtime/train
count "all rooms" "$c" frontend ir passes codegen runtime
count "tables" "def" frontend ir passes codegen runtime
count "prelude" "ptm" frontend/prelude
count "gallery" "ptm" models
count "tests" "$c" tests
