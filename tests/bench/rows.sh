# Sourced by table.sh, which times these models, and by same_bits.sh, which compares their results bit for bit. Each line of `rows` calls a
# function of theirs with a name, a title, what is to be reached, and the shape:
#   gpt     NAME TITLE MS MIB LAYERS HEADS WIDTH ROWS SPAN VOCABULARY STEPS [FLAG ..]    with FLAGs: MS is a part of the time without them
#   rnn     NAME TITLE MS CELL GATES WIDTH SPAN STEPS                                    MS: milliseconds, or a share of the floor as 65%
#   bert    NAME TITLE PART SPAN STEPS [FLAG ..]                                         PART: of the peer's time
#   decode  NAME TITLE SHARE BYTES [FLAG ..]                                             SHARE: of the floor; with FLAGs a part of the time without
rows() {
    gpt gpt2-4x64 "GPT-2 124M, step of 4 x 64" 505 2098 12 12 768 4 64 50257 6
    gpt gpt2-1x1024 "GPT-2 124M, step of 1 x 1024" 2300 2480 12 12 768 1 1024 50257 3
    gpt gpt2-bf16 "GPT-2 124M, step of 4 x 64, bf16 products" 1/1.5 2098 12 12 768 4 64 50257 6 --precision bf16
    gpt gpt-384 "GPT 6 x 384, step of 8 x 256" 340 '' 6 6 384 8 256 65 10
    gpt gpt-128 "GPT 4 x 128, step of 12 x 64" 10.5 '' 4 4 128 12 64 65 100
    rnn lstm-650 "LSTM 2 x 650, step of 20 x 35" 150 lstm 4 650 35 20
    rnn lstm-200 "LSTM 2 x 200, step of 20 x 20" 20 lstm 4 200 20 60
    rnn gru-200 "GRU 2 x 200, step of 20 x 20" 65% gru 3 200 20 60
    rnn rnn-200 "RNN 2 x 200, step of 20 x 20" 65% rnn 1 200 20 60
    bert bert-16 "BERT-base, forward of 1 x 16" 0.67 16 30
    bert bert-128 "BERT-base, forward of 1 x 128" 0.85 128 20
    bert bert-512 "BERT-base, forward of 1 x 512" 0.85 512 8
    bert bert-128-bf16 "BERT-base, forward of 1 x 128, bf16 products" 0.45 128 20 --precision bf16
    decode decode-f32 "GPT-2 124M, a token" 80% 4
    decode decode-bf16 "GPT-2 124M, a token, bf16 weights" 1/1.8 2 --weight-type bf16
    decode decode-i8 "GPT-2 124M, a token, int8 weights" 1/3.0 1 --weight-type i8
}

# Does the name begin like one of $chosen, or is nothing chosen?
wanted() {
    for each in ${chosen:-$1}; do case $1 in "$each"*) return 0 ;; esac; done
    return 1
}

# words COUNT FILE: a text of so many different words, and more of them.
words() {
    [ -f "$2" ] || awk -v n="$1" 'BEGIN { for (i = 0; i < n + 12000; i++) printf "w%d%s", i % n, i % 12 == 11 ? "\n" : " " }' >"$2"
}
