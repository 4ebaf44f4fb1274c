#!/bin/sh
# The tests that are text files. usage: run.sh GROUP PTM [--bless] [FILE ...]
#
#   golden  golden/STAGE/x.ptm: `ptm dump --stage STAGE x.ptm` prints x.STAGE beside it; a comment `# dump: FLAGS` adds flags.
#           --bless writes what is printed as what is wanted. x.text is a graph's text in place of a model. golden/fmt/x.ptm: the
#           same with `ptm fmt`.
#   errors  errors/x.ptm: `ptm check x.ptm` prints exactly the messages that comments `# error: TEXT` and `# warning: TEXT` on the
#           faulty lines want (TEXT is a part of the message), and `# note: TEXT` where a note is to be checked too.
#   readme  every block ```ptm of the READMEs, in the same way: without such comments it passes `ptm check` silently. `ptm fmt` has
#           nothing to change in it.
#   cli     cli/*.sh, run with $PTM and an empty directory; exit status 0 is a pass.
#
# Prints what failed and why; exit status 1 when anything did.
set -u
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
group=$1 PTM=$(realpath "$2")
shift 2
bless=no
[ "${1-}" = --bless ] && bless=yes && shift
tests=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PTM LC_ALL=C PTM_CACHE=off        # nothing is left behind in the user's directories
failed=0 passed=0

fail() {
    echo "FAIL $1"
    failed=$((failed + 1))
}

golden() {
    stage=$(basename "$(dirname "$1")")
    wanted=${1%.*}.$stage
    flags=$(sed -n 's/^# dump: *//p' "$1")
    # The dump names the file as the command line did: run beside it.
    # shellcheck disable=SC2086
    case $stage in
    fmt) "$PTM" fmt - <"$1" ;;
    *) (cd "$(dirname "$1")" && "$PTM" dump "$(basename "$1")" --stage "$stage" $flags) ;;
    esac >"$work/dump" 2>"$work/messages"
    status=$?
    # Lines of the prelude move; which of its files a node comes from stays.
    sed 's|\(prelude/[a-z_]*\.ptm\):[0-9]*:[0-9]*|\1|g' "$work/dump" >"$work/got"
    if [ $status -ne 0 ]; then
        fail "$1: printing the stage $stage ends with status $status"
        cat "$work/messages"
    elif [ $bless = yes ]; then
        cmp -s "$work/got" "$wanted" || { cp "$work/got" "$wanted" && echo "blessed $wanted"; }
    elif ! diff -u "$wanted" "$work/got" >"$work/difference" 2>&1; then
        fail "$1: not the wanted dump (- wanted, + printed)"
        sed 's/^/    /' "$work/difference"
    else
        passed=$((passed + 1))
    fi
}

# Compares the messages of `ptm check FILE` with the comments in it. $1: file, $2: its name in reports.
messages() {
    (cd "$(dirname "$1")" && "$PTM" check "$(basename "$1")") >"$work/out" 2>&1
    status=$?
    awk -v status=$status -v name="$(basename "$1")" '
        function unmatched(kind, line, text,    i) {
            for (i = 1; i <= wanted; i++)
                if (!met[i] && want_kind[i] == kind && want_line[i] == line && index(text, want_text[i])) { met[i] = 1; return 0 }
            return 1
        }
        FNR == NR {
            rest = $0
            while (match(rest, /# (error|warning|note): /)) {
                head = substr(rest, RSTART + 2, RLENGTH - 4)
                rest = substr(rest, RSTART + RLENGTH)
                text = match(rest, / *# (error|warning|note): /) ? substr(rest, 1, RSTART - 1) : rest
                sub(/ +$/, "", text)
                want_kind[++wanted] = head; want_line[wanted] = FNR; want_text[wanted] = text
                errors += head == "error"
            }
            next
        }
        match($0, /(^|: )(error|warning|note): /) {
            place = substr($0, 1, RSTART - 1); text = substr($0, RSTART + RLENGTH)
            kind = substr($0, RSTART, RLENGTH); gsub(/[: ]/, "", kind)
            split(place, part, ":")
            line = part[1] == name ? part[2] : 0
            if (unmatched(kind, line, text) && kind != "note") { print "    unexpected: " $0; bad = 1 }
        }
        END {
            for (i = 1; i <= wanted; i++)
                if (!met[i]) { printf "    missing in line %d: %s: %s\n", want_line[i], want_kind[i], want_text[i]; bad = 1 }
            if (status != (errors > 0)) { printf "    exit status %d\n", status; bad = 1 }
            exit bad
        }' "$1" "$work/out" >"$work/difference"
    if [ $? -ne 0 ]; then
        fail "$2"
        cat "$work/difference"
        sed 's/^/    | /' "$work/out"
    else
        passed=$((passed + 1))
    fi
}

# Every block ```ptm of a README becomes a file of its own, with the lines above it empty: messages keep their line numbers.
readme() {
    rm -rf "$work/blocks" && mkdir "$work/blocks"
    ln -s "$(realpath "$tests/../models/lib")" "$work/blocks/lib"
    awk -v out="$work/blocks" '
        /^```/ && inside { inside = 0; close(file); next }
        /^```ptm( |$)/ { inside = 1; file = out "/line" FNR ".ptm"; for (i = 1; i <= FNR; i++) print "" >file; next }
        inside { print >file }' "$1"
    for block in "$work"/blocks/*.ptm; do
        [ -e "$block" ] || continue
        messages "$block" "$1, the block at $(basename "$block" .ptm)"
        sed '/./,$!d' "$block" >"$work/block"
        "$PTM" fmt - <"$work/block" >"$work/got" 2>/dev/null || continue     # syntax errors
        cmp -s "$work/block" "$work/got" && continue
        fail "$1, the block at $(basename "$block" .ptm): not as ptm fmt lays it out"
        diff "$work/block" "$work/got" | sed 's/^/    /'
    done
}

cli() {
    rm -rf "$work/cli" && mkdir "$work/cli"
    if (cd "$work/cli" && TESTS=$tests sh -eu "$1") >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        fail "$1"
        sed 's/^/    /' "$work/out"
    fi
}

if [ $# -eq 0 ]; then
    case $group in
    golden) set -- "$tests"/golden/*/*.ptm "$tests"/golden/*/*.text ;;
    errors) set -- "$tests"/errors/*.ptm ;;
    readme) set -- "$tests"/../README.md "$tests"/../*/README.md ;;
    cli) set -- "$tests"/cli/*.sh ;;
    *) echo "run.sh: no group $group" >&2; exit 2 ;;
    esac
fi
for file; do
    [ -e "$file" ] || continue
    file=$(realpath "$file")
    case $group in
    golden) golden "$file" ;;
    errors) messages "$file" "$file" ;;
    readme) readme "$file" ;;
    cli) cli "$file" ;;
    esac
done
echo "$group: $passed passed, $failed failed"
[ $failed -eq 0 ]
