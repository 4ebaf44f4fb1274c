#!/bin/sh
# Names every line of C and of the gallery below the given directory that is longer than 120 characters, and fails when
# there is one.
set -eu
cd "$1"
files=$(find frontend ir passes codegen runtime models tests -name '*.[ch]'; find frontend models -name '*.ptm')
found=$(echo "$files" | LC_ALL=C sort | while read -r file; do
    # Of a UTF-8 character only the first byte counts.
    LC_ALL=C tr -d '\200-\277' <"$file" |
        LC_ALL=C awk -v file="$file" 'length($0) > 120 { print file ":" NR ": " length($0) " characters" }'
done)
[ -z "$found" ] && exit 0
echo "$found"
exit 1
