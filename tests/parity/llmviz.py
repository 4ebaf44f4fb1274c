"""The checkpoint of llm-viz, JSON with numbers in base64, as safetensors under its own names.

usage: llmviz.py gpt-nano-sort-model.json OUT.safetensors"""
import base64
import json
import math
import struct
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = json.load(file)
    header, blobs, at = {}, [], 0
    for name, tensor in found.items():
        if name == "config":
            continue
        data = base64.b64decode(tensor["data"])
        if tensor["dtype"] != "torch.float32" or len(data) != 4 * math.prod(tensor["shape"]):
            sys.exit(f"{name}: {tensor['dtype']} {tensor['shape']} in {len(data)} bytes")
        header[name] = {"dtype": "F32", "shape": tensor["shape"], "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    with open(sys.argv[2], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


main()
