# The syntax files for editors are what the tables give now; `sh frontend/editor/make.sh build/ptm` makes them anew.
. "$TESTS/cli/common"
editor=$TESTS/../frontend/editor
status 0 sh "$editor/make.sh" "$PTM" .
made=0
for file in $(find . -name '*.vim' -o -name '*.json'); do
    cmp "$file" "$editor/$file" || fail "run frontend/editor/make.sh: $file is not what the tables give"
    made=$((made + 1))
done
[ $made = 2 ] || fail "$made files were made"

# Every word stands in both.
for word in $("$PTM" help words | sed 's/^  [a-z]\+ //'); do
    grep -q "[(|:]$word[\\\\|)]" vim/syntax/ptm.vim || fail "Vim does not know $word"
    grep -q "[(|:]$word[|)]" vscode/syntaxes/ptm.tmLanguage.json || fail "VS Code does not know $word"
done
