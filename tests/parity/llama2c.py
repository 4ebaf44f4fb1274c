"""A checkpoint of llama2.c (its first format) as safetensors, with the names of the original Llama checkpoints.

usage: llama2c.py IN.bin OUT.safetensors

The file: 7 int32 (width, width of the feed-forward layers, layers, heads, heads of keys and values, vocabulary, longest text; a
negative vocabulary: a head of its own), then f32: the table, and of all layers together the norms before attention, wq, wk, wv,
wo, the norms before the feed-forward layers, w1, w2, w3; the last norm; tables of cosines and sines, which are computed anew.
Matrices have a row for each output."""
import json
import struct
import sys


def tensors(data):
    width, ff, layers, heads, kv, vocabulary, longest = struct.unpack("<7i", data[:28])
    at = 28
    narrow = width // heads * kv

    def take(*shape):
        nonlocal at
        size = 4
        for extent in shape:
            size *= extent
        if at + size > len(data):
            sys.exit(f"the file ends at byte {len(data)}, and {at + size} bytes are wanted")
        at += size
        return shape, data[at - size:at]

    out = {"tok_embeddings.weight": take(abs(vocabulary), width)}
    for name, shape in [("attention_norm", (width,)), ("attention.wq", (width, width)), ("attention.wk", (narrow, width)),
                        ("attention.wv", (narrow, width)), ("attention.wo", (width, width)), ("ffn_norm", (width,)),
                        ("feed_forward.w1", (ff, width)), ("feed_forward.w2", (width, ff)), ("feed_forward.w3", (ff, width))]:
        for i in range(layers):
            out[f"layers.{i}.{name}.weight"] = take(*shape)
    out["norm.weight"] = take(width)
    take(2, longest, width // heads // 2)
    if vocabulary < 0:
        out["output.weight"] = take(-vocabulary, width)
    if at != len(data):
        sys.exit(f"{len(data) - at} bytes are left over")
    return out


def main():
    with open(sys.argv[1], "rb") as file:
        found = tensors(file.read())
    header, at = {}, 0
    for name, (shape, data) in found.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    with open(sys.argv[2], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, data in found.values():
            file.write(data)


main()
