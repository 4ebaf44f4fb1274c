#!/bin/sh
# Writes the syntax files for editors: the templates *.in, with the words of `ptm help words` in place of @kind@. The files are
# kept beside the templates; tests/cli/editor.sh compares them with what the tables say now.
# usage: make.sh PTM [DIRECTORY]
set -eu
ptm=$(realpath "$1")
out=$(realpath "${2:-$(dirname "$0")}")
cd "$(dirname "$0")"
for template in $(find . -name '*.in'); do
    mkdir -p "$out/$(dirname "$template")"
    case $template in
    *.vim.in) between='\\|' ;;
    *) between='|' ;;
    esac
    "$ptm" help words | awk -v between="$between" '
        FILENAME == "-" {
            first = 1
            if (/^  [a-z]/) { kind = $1; first = 2 }
            for (i = first; i <= NF; i++) words[kind] = words[kind] (words[kind] == "" ? "" : between) $i
            next
        }
        {
            line = $0
            while (match(line, /@[a-z]+@/)) {
                kind = substr(line, RSTART + 1, RLENGTH - 2)
                if (words[kind] == "") { print FILENAME ": there are no words of kind " kind >"/dev/stderr"; exit 1 }
                line = substr(line, 1, RSTART - 1) words[kind] substr(line, RSTART + RLENGTH)
            }
            print line
        }' - "$template" >"$out/${template%.in}"
done
