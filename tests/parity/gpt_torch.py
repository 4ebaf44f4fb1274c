"""models/gpt.ptm beside PyTorch: loss, every gradient, and a stretch of training, on the same weights and windows.

usage: gpt_torch.py PTM MODEL       compares; exit status 1 when something differs by more than 1e-4, 77 without torch
       gpt_torch.py --reference     prints what gpt_reference.txt holds (see README.md)

How the two are brought together, by the command line alone: the text is so short that the windows of a batch are all
windows there are, so the order in which they are drawn does not matter. A copy of the model file whose optimizer keeps
the weights and stores the gradient as its state gives both in one checkpoint; the model above `train` is the file's own
text.
"""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("skipped: python3 has no torch (Debian: python3-torch)")
    sys.exit(77)

TOLERANCE = 1e-4
torch.set_num_threads(1)                 # its two thread pools wait for each other
PROBE = """
module probe(w: f32[..S], g: f32[..S]) -> f32[..S] {
  state gradient: f32[..S] = 0
  update gradient = g
  return w
}
train {
  minimize loss(batch)
  using probe()
  steps 1
}
"""


# --- the model ---

def loss_of(w, ids, layers, heads):
    """w: parameters by path, linear maps as (inputs, outputs); ids: (B, T + 1)."""
    x, y = ids[:, :-1], ids[:, 1:]
    B, T = x.shape
    D = w["wte.weight"].shape[1]
    future = torch.ones(T, T).triu(1).bool()

    def norm(a, path):
        return F.layer_norm(a, (D,), w[path + ".weight"], None, 1e-5)

    def by_head(a):
        return a.view(B, T, heads, D // heads).transpose(1, 2)

    a = w["wte.weight"][x] + w["wpe.weight"][:T]
    for i in range(layers):
        h = f"h.{i}."
        n = norm(a, h + "ln_1")
        q, k, v = (by_head(n @ w[f"{h}attn.{name}.weight"]) for name in ("query", "key", "value"))
        s = (q @ k.transpose(-2, -1)) / math.sqrt(D // heads)
        p = F.softmax(s.masked_fill(future, float("-inf")), dim=-1)
        a = a + (p @ v).transpose(1, 2).reshape(B, T, D) @ w[h + "attn.out.weight"]
        a = a + F.gelu(norm(a, h + "ln_2") @ w[h + "up.weight"]) @ w[h + "down.weight"]
    logits = norm(a, "ln_f") @ w["wte.weight"].T
    return F.cross_entropy(logits.reshape(B * T, -1), y.reshape(-1))


def gradients(weights, ids, layers, heads, dtype):
    w = {path: value.to(dtype).detach().requires_grad_(True) for path, value in weights.items()}
    loss = loss_of(w, ids, layers, heads)
    loss.backward()
    return loss.item(), {path: value.grad for path, value in w.items()}


# --- what ptm says ---

def safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    out = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            flat = torch.frombuffer(bytearray(data[8 + size + begin:8 + size + end]), dtype=torch.float32)
            out[name] = flat.reshape(about["shape"])
    return out


def run(ptm, model, out, text, steps, settings):
    flags = [f"--set={name}={value}" for name, value in settings.items()]
    flags += [f"--data=text={text}", f"--steps={steps}", f"--out={out}", "--quiet"]
    subprocess.run([ptm, "train", model, *flags], check=True)
    with open(os.path.join(out, "metrics.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    return lines, safetensors(os.path.join(out, "last.safetensors"))


def windows(scratch, context, size):
    """A text, its file, all windows of its first nine tenths, and how many there are."""
    draw = random.Random(context)
    text = "".join(draw.choice("abcdefgh ijklmnop qrstuvwxyz,.") for _ in range(size))
    path = os.path.join(scratch, f"text{context}")
    with open(path, "w") as file:
        file.write(text)
    id_of = {c: i for i, c in enumerate(sorted(set(text)))}
    fit = torch.tensor([id_of[c] for c in text[:size - size // 10]])
    return path, fit.unfold(0, context + 1, 1)


# --- comparing ---

def compare_gradients(name, loss, got, want_loss, want):
    worst, where = 0.0, ""
    for path, g in want.items():
        error = ((got[f"optimizer.{path}.gradient"].double() - g.double()).norm() / g.double().norm()).item()
        if error > worst:
            worst, where = error, path
    error = abs(loss - want_loss) / want_loss
    print(f"{name}: loss {loss:.9g}, PyTorch {want_loss:.9g}, relative error {error:.2g}; "
          f"{len(want)} gradients, worst relative error {worst:.2g} ({where})")
    return error <= TOLERANCE and worst <= TOLERANCE


def check_gradients(ptm, model, scratch, name, size, settings):
    path, ids = windows(scratch, settings["context"], size)
    settings = {**settings, "rows": len(ids)}
    with open(model) as file:
        text = file.read()
    probe = os.path.join(scratch, "probe.ptm")
    with open(probe, "w") as file:
        file.write(text[:text.index("\ntrain {")] + PROBE)
    if not os.path.exists(os.path.join(scratch, "lib")):
        os.symlink(os.path.join(os.path.dirname(os.path.abspath(model)), "lib"), os.path.join(scratch, "lib"))
    lines, tensors = run(ptm, probe, os.path.join(scratch, name), path, 1, settings)
    weights = {p: t for p, t in tensors.items() if not p.startswith("optimizer.")}
    good = True
    for dtype in (torch.float64, torch.float32):
        want = gradients(weights, ids, settings["layers"], settings["heads"], dtype)
        good = compare_gradients(f"{name}, {dtype}", lines[0]["loss"], tensors, *want) and good
    return good, weights


def check_training(ptm, model, scratch, steps, size, settings, weights):
    """AdamW with warm-up, decay by groups and clipping, as the `train` block of the model says."""
    path, ids = windows(scratch, settings["context"], size)
    settings = {**settings, "rows": len(ids)}
    lines, tensors = run(ptm, model, os.path.join(scratch, "trained"), path, steps, settings)
    w = {p: t.double().detach().requires_grad_(True) for p, t in weights.items()}
    plain = [t for p, t in w.items() if ".ln_" in "." + p]
    decayed = [t for p, t in w.items() if ".ln_" not in "." + p]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (step + 1) / 101
        optimizer.zero_grad()
        loss = loss_of(w, ids, settings["layers"], settings["heads"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        optimizer.step()
        losses.append(loss.item())
    loss_error = max(abs(line["loss"] - losses[line["step"] - 1]) / losses[line["step"] - 1] for line in lines)
    error = max(((tensors[p].double() - t).norm() / t.norm()).item() for p, t in w.items())
    print(f"{steps} steps of AdamW: loss {losses[0]:.6g} to {losses[-1]:.6g}, worst relative error {loss_error:.2g}; "
          f"weights, worst relative error {error:.2g}")
    return loss_error <= TOLERANCE and error <= TOLERANCE


def compare(ptm, model):
    small = {"layers": 2, "heads": 3, "width": 24, "context": 13}
    own = {"layers": 4, "heads": 4, "width": 128, "context": 64}
    with tempfile.TemporaryDirectory() as scratch:
        first, weights = check_gradients(ptm, model, scratch, "2 layers of 24", 200, small)
        second, _ = check_gradients(ptm, model, scratch, "4 layers of 128", 650, own)
        third = check_training(ptm, model, scratch, 60, 200, small, weights)
    return 0 if first and second and third else 1


# --- the stored reference ---

def reference():
    """A GPT whose weights and ids are formulas, for a test that needs neither PyTorch nor data. float64 throughout."""
    layers, heads, D, context, V, B = 2, 3, 12, 7, 11, 5
    shapes = [("wte.weight", (V, D)), ("wpe.weight", (context, D))]
    for i in range(layers):
        shapes.append((f"h.{i}.ln_1.weight", (D,)))
        shapes += [(f"h.{i}.attn.{name}.weight", (D, D)) for name in ("query", "key", "value", "out")]
        shapes += [(f"h.{i}.ln_2.weight", (D,)), (f"h.{i}.up.weight", (D, 4 * D)), (f"h.{i}.down.weight", (4 * D, D))]
    shapes.append(("ln_f.weight", (D,)))
    weights = {}
    for k, (path, shape) in enumerate(shapes):
        count = math.prod(shape)
        base, swing = (1.0, 0.2) if len(shape) == 1 else (0.0, 0.3)
        values = [base + swing * math.sin(k + i + 0.013 * i * i) for i in range(count)]
        weights[path] = torch.tensor(values, dtype=torch.float64).reshape(shape)
    ids = torch.tensor([[(7 * b + 3 * t + b * t * t) % V for t in range(context + 1)] for b in range(B)])
    loss, grads = gradients(weights, ids, layers, heads, torch.float64)
    print("# Loss and gradients of models/gpt.ptm, by PyTorch in float64: gpt_torch.py --reference prints this file.")
    print("# Element i of parameter k (both from 0, in the order below) is 0.3 sin(k + i + 0.013 i^2), of a norm's")
    print("# weight 1 + 0.2 sin(..); id t of row b is (7 b + 3 t + b t^2) mod V. A gradient: its norm, its elements")
    print("# 0, n/2 and n-1.")
    for name, value in [("layers", layers), ("heads", heads), ("width", D), ("context", context), ("V", V), ("B", B)]:
        print(f"size {name} {value}")
    print(f"loss {loss:.17g}")
    for path, g in grads.items():
        flat = g.reshape(-1)
        numbers = [g.norm(), flat[0], flat[len(flat) // 2], flat[-1]]
        print("gradient", path, *(f"{x.item():.17g}" for x in numbers))
    return 0


if sys.argv[1:] == ["--reference"]:
    sys.exit(reference())
if len(sys.argv) != 3:
    print(__doc__)
    sys.exit(2)
sys.exit(compare(os.path.abspath(sys.argv[1]), sys.argv[2]))
