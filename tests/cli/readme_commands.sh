# The day that the README describes: its commands run one after the other. Training is cut short, and longer when resumed.
. "$TESTS/cli/common"
cp -r "$TESTS/../models" models
i=0
while [ $i -lt 3000 ]; do
    echo "the old road to the harbour, and $i ships before the rain"
    i=$((i + 1))
done >book.txt
# ids of shape [1, 8], zeros
{ printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 8), }"
  head -c 32 /dev/zero; } >x.npy
sed -n '/^## A day with it/,/^## /p' "$TESTS/../README.md" | sed -n 's/^    ptm /ptm /p' | sed 's/ *#.*//' >commands
[ "$(wc -l <commands)" -ge 8 ] || fail "where are the commands? $(cat commands)"
steps=3
while read -r line; do
    case $line in
    "ptm bench"*) continue ;;                    # measures the host for a minute
    *published.safetensors*) cp run/last.safetensors published.safetensors ;;
    "ptm train "*) line="$line --steps $steps" steps=$((steps + 3)) ;;
    esac
    status 0 sh -c "\"\$PTM\" ${line#ptm }"
done <commands
ls run/last.safetensors >/dev/null
