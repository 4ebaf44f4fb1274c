# ptm fmt: what it prints is formatted, keeps every character but white space and `;` between statements, and means what
# the file meant; files are replaced as a whole or left alone.
. "$TESTS/cli/common"
root=$TESTS/..

# The gallery and the prelude are formatted.
find "$root/models" "$root/frontend" -name '*.ptm' >files
status 0 xargs "$PTM" fmt --check <files
[ -s out ] && fail "fmt --check says something of formatted files: $(cat out)"

# Every other file that has no syntax errors.
black() {
    LC_ALL=C tr -d ' \t\r\n;' <"$1"
}
formatted=0
for file in $(find "$TESTS" -name '*.ptm'); do
    cp "$file" x.ptm
    if ! "$PTM" dump x.ptm --stage ast >tree 2>err; then
        grep -q 'no file' err && continue           # an import: the tree cannot be compared
        status 1 "$PTM" fmt x.ptm
        cmp -s x.ptm "$file" || fail "$file has syntax errors and was changed"
        continue
    fi
    status 0 "$PTM" fmt x.ptm
    "$PTM" dump x.ptm --stage ast | cmp -s - tree || fail "$file means something else"
    black "$file" >a
    black x.ptm >b
    cmp -s a b || fail "$file lost or got characters"
    status 0 "$PTM" fmt --check x.ptm
    formatted=$((formatted + 1))
done
[ $formatted -gt 60 ] || fail "only $formatted files were formatted"

# --check names what would change and writes nothing.
printf 'fn f(){x=1\nreturn x}' >loose.ptm
cp loose.ptm before.ptm
status 1 "$PTM" fmt --check loose.ptm x.ptm
says "loose.ptm"
[ "$(cat out)" = loose.ptm ] || fail "another file is named"
cmp -s loose.ptm before.ptm || fail "--check wrote"
status 1 "$PTM" fmt --check missing.ptm
says "missing.ptm"

# In place: links are followed, the mode stays, nothing is left beside the file.
mkdir d
mv loose.ptm d/loose.ptm
chmod 640 d/loose.ptm
ln -s d/loose.ptm link.ptm
status 0 "$PTM" fmt link.ptm x.ptm
[ -L link.ptm ] || fail "the link was replaced"
[ "$(stat -c %a d/loose.ptm)" = 640 ] || fail "another mode"
[ "$(ls d)" = loose.ptm ] || fail "something is left beside the file"
printf 'fn f() {\n  x = 1\n  return x\n}\n' | cmp - d/loose.ptm

# Formatted files are not written.
touch -d '2001-01-01' d/loose.ptm
status 0 "$PTM" fmt d/loose.ptm
[ "$(stat -c %Y d/loose.ptm)" = "$(date -d 2001-01-01 +%s)" ] || fail "a formatted file was written"

# A syntax error leaves the file alone; the other files are formatted all the same.
printf 'fn f( { return 1 }\n' >wrong.ptm
cp wrong.ptm wrong.before
cp before.ptm loose.ptm
status 1 "$PTM" fmt wrong.ptm loose.ptm
says "wrong.ptm:1:"
cmp -s wrong.ptm wrong.before || fail "a file with an error was changed"
cmp -s loose.ptm d/loose.ptm || fail "the file behind it was not formatted"

# Standard input to standard output.
status 0 "$PTM" fmt - <before.ptm
cmp -s out d/loose.ptm || fail "- prints something else"
status 1 "$PTM" fmt --check - <before.ptm
status 1 "$PTM" fmt - <wrong.ptm
says "standard input:1:"
printf '\000' >zero.ptm
status 1 "$PTM" fmt zero.ptm
status 1 "$PTM" fmt d
says "it is a directory"
status 2 "$PTM" fmt
says "usage: ptm fmt FILE.ptm..."

# A directory that cannot be written to.
if [ "$(id -u)" != 0 ]; then
    cp before.ptm d/loose.ptm
    chmod 500 d
    status 1 "$PTM" fmt d/loose.ptm
    cmp -s before.ptm d/loose.ptm || fail "the file was changed"
    chmod 700 d
fi
