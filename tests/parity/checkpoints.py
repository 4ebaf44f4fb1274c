"""Models of the gallery with weights that others trained: what is known of them comes out again. usage: see checkpoints.sh

Published numbers come from where the checkpoints do (the README in $PTM_DATA says where); what was measured by an independent
program is marked so. Prints the largest difference of each model; exit status 1 when one is beyond its bound."""
import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

PTM, MODELS, DATA = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
HERE = pathlib.Path(__file__).parent
failed = []


def ptm(*args):
    done = subprocess.run([PTM, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ptm {' '.join(map(str, args))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def convert(script, *args):
    subprocess.run([sys.executable, HERE / script, *args], check=True)


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4"}
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            out[name] = np.frombuffer(data[8 + size + begin:8 + size + end], types[entry["dtype"]]).reshape(entry["shape"])
    return out


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, x in tensors.items():
        header[name] = {"dtype": "F32", "shape": x.shape, "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    blobs = b"".join(np.ascontiguousarray(x, "<f4").tobytes() for x in tensors.values())
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + blobs)


def report(name, what, found, bound):
    good = found <= bound
    print(f"{name:12} {what}: {found:.3g} (at most {bound:g}){'' if good else ' FAILED'}")
    if not good:
        failed.append(name)


def run(model, weights, entry, where, *flags, **inputs):
    flags = list(flags)
    for name, x in inputs.items():
        np.save(where / f"{name}.npy", x)
        flags += ["--input", f"{name}={where / name}.npy"]
    ptm("run", MODELS / model, "--weights", weights, "--entry", entry, *flags, "-o", where / "out.npz")
    return dict(np.load(where / "out.npz"))


def gpt_sort(where):
    """Read in the layout of minGPT, written in that of GPT-2, read again: every published tensor."""
    theirs = DATA / "checkpoints/gpt-nano-sort"
    convert("llmviz.py", theirs / "gpt-nano-sort-model.json", where / "sort.safetensors")
    model = MODELS / "gpt_sort.ptm"
    ptm("weights", model, "--weights", where / "sort.safetensors", "--to", "hf", "-o", where / "hf.safetensors")
    wanted = read_safetensors(theirs / "expected.safetensors")
    names = {"ids": "idx", "att_softmax": "attSm", "y_proj": "yProj", "att_resid": "attnResid", "up": "fc", "act": "gelu",
             "mlp_resid": "mlpResid", "last": "ln_f"}
    found = run("gpt_sort.ptm", where / "hf.safetensors", "parts", where, ids=wanted["idx"].astype("int32"))
    worst, relative = 0, 0
    for name, x in found.items():
        y = wanted.pop(names.get(name, name))
        assert x.shape == y.shape, name
        same = x == y                    # -inf above the diagonal
        apart = np.abs(np.where(same, 0, x) - np.where(same, 0, y))
        worst, relative = max(worst, apart.max()), max(relative, (apart / np.maximum(1, np.abs(np.where(same, 0, y)))).max())
    assert not wanted, wanted.keys()
    report("gpt_sort", f"{len(found)} tensors, largest difference", worst, 3e-6)          # of logits up to 8.4
    report("gpt_sort", "the same, relative to what is above 1", relative, 2e-6)


STORY = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395]     # measured: greedy, from the first token
FIRST = [-6.22291, 8.40434, -6.22374, -6.22254, -6.22195, -6.22288]              # measured: logits behind it


def stories(where):
    """The likeliest token at every place of the known text is the next one of it, by all three layouts."""
    llama = where / "stories.safetensors"
    convert("llama2c.py", DATA / "checkpoints/stories260K/stories260K.bin", llama)
    ids = np.array([STORY[:-1]], "int32")
    first = run("stories.ptm", llama, "logits", where, ids=ids)["logits"]
    report("stories", "first logits, largest difference", np.abs(first[0, 0, :6] - FIRST).max(), 1e-5)
    report("stories", "tokens that differ", np.sum(first[0].argmax(-1) != STORY[1:]), 0)

    # With smaller weights: on logits whose standard deviation is 7.
    for kind, bound in (("bf16", 0.3), ("i8", 1.0)):
        out = run("stories.ptm", llama, "logits", where, "--weight-type", kind, ids=ids)["logits"]
        report("stories", f"weights in {kind}, largest difference", np.abs(out - first).max(), bound)
        report("stories", f"weights in {kind}, tokens that differ", np.sum(out[0].argmax(-1) != STORY[1:]), 0)

    # Five tokens, then one at a time, with what was kept of those before.
    last = []
    for k in [slice(0, 5), *(slice(i, i + 1) for i in range(5, 13))]:
        states = ["--states", where / "states.npz"] if k.start else []
        out = run("stories.ptm", llama, "next", where, *states, "--save-states", where / "states.npz", ids=ids[:, k])
        last.append(out["next"][0])
    report("stories", "with kept keys and values, largest difference", np.abs(np.stack(last) - first[0, 4:]).max(), 2e-5)

    # The Hugging Face library turns halves of a head: its conversion of the original checkpoints.
    theirs, renamed = read_safetensors(llama), {}
    names = {"attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj",
             "attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj",
             "feed_forward.w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "tok_embeddings": "embed_tokens"}
    for name, x in theirs.items():
        for heads, matrix in ((8, "wq"), (4, "wk")):
            if matrix in name:
                x = x.reshape(heads, x.shape[0] // heads // 2, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)
        for ours, hf in names.items():
            name = name.replace(ours, hf)
        renamed["model." + name] = x
    write_safetensors(where / "hf.safetensors", renamed)
    again = run("stories.ptm", where / "hf.safetensors", "logits", where, ids=ids)["logits"]
    report("stories", "as Hugging Face has it, largest difference", np.abs(again - first).max(), 0)
    ptm("weights", MODELS / "stories.ptm", "--weights", llama, "--to", "hf", "--like", where / "hf.safetensors", "-o",
        where / "written.safetensors")
    written = read_safetensors(where / "written.safetensors")
    report("stories", "written so, tensors that differ",
           sum(not np.array_equal(written.pop(name), x) for name, x in renamed.items()) + len(written), 0)


def charrnn(where):
    """Measured: the cross entropy of the first 9,999 characters of the text that it was trained on."""
    text = (DATA / "tinyshakespeare/input.txt").read_bytes()[:10000]
    (where / "text").write_bytes(text)
    out = ptm("eval", MODELS / "charrnn_tf.ptm", "--weights", DATA / "checkpoints/charrnn-shakespeare/model.safetensors",
              "--data", f"text={where}/text")
    report("charrnn_tf", "nats a character, difference", abs(float(out.split()[1]) - 1.3299), 5e-5)


def mlp(where):
    """Measured: of the first 1000 test images 94.1 % are read; the logits of the first one."""
    files = []
    for name in ("images-idx3", "labels-idx1"):
        (where / name).write_bytes(gzip.decompress((DATA / f"mnist/t10k-{name}-ubyte.gz").read_bytes()))
        files += ["--data", f"test_{name.split('-')[0]}={where / name}"]
    weights = DATA / "checkpoints/ml5-mnist-mlp/model.safetensors"
    out = ptm("eval", MODELS / "mlp.ptm", "--weights", weights, "--set", "learn=false", "--set", "first=1000", *files)
    report("mlp", "accuracy, difference", abs(float(out.split()[1]) - 0.941), 1e-9)
    image = np.frombuffer((where / "images-idx3").read_bytes()[16:16 + 784], np.uint8).reshape(1, 784)
    found = run("mlp.ptm", weights, "logits", where, x=image.astype("float32") / 255)["logits"]
    wanted = [1.6332, -5.4281, 3.4509, 4.3540, -6.0077, -0.2727, -8.9739, 10.1045, 0.0695, 2.0609]
    report("mlp", "logits, largest difference", np.abs(found - wanted).max(), 1e-4)


for test in (gpt_sort, stories, charrnn, mlp):
    with tempfile.TemporaryDirectory() as folder:
        test(pathlib.Path(folder))
sys.exit(1 if failed else 0)
