# What the certificate says of the whole process is what the system finds resident at most, within 5 % and 16 MiB.
. "$TESTS/cli/common"
[ -e "$(dirname "$PTM")/count_alloc.so" ] || exit 0          # sanitizers need memory of their own
agrees() {
    sed -n 's/^peak resident memory \([0-9.]*\) MiB, of \([0-9.]*\) MiB promised$/\1 \2/p' out |
        awk '{ d = $2 - $1; if (d < 0) d = -d; good = d <= 0.05 * $2 + 16 } END { exit !good }'
}
for model in gpt lstm bow; do
    status 0 "$PTM" train "$TESTS/../models/$model.ptm" --steps 3
    says "memory of the process"
    agrees || fail "$model: $(cat out)"
done
# The proof has blocks of its own: they are promised, too.
status 0 "$PTM" train "$TESTS/../models/rnn.ptm" --steps 3 --prove-memory
says "proved: training"
agrees || fail "$(cat out)"
