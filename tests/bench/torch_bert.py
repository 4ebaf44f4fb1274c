"""The forward pass of BERT-base's encoder in PyTorch, the peer of tests/bench/bert.ptm: same shapes, same operators, drawn weights.

Prints the median milliseconds of a pass. --export FILE writes it for ONNX Runtime instead, for any number of tokens (onnx_bert.js runs it).
The environment chooses the set-up (threads, OpenBLAS build, ATEN_CPU_CAPABILITY, OMP_WAIT_POLICY); peers.sh has them.
"""
import argparse
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
for name, default in [("layers", 12), ("heads", 12), ("width", 768), ("rows", 1), ("span", 128), ("steps", 20), ("warm", 3), ("threads", 2)]:
    parser.add_argument("--" + name, type=int, default=default)
parser.add_argument("--export")
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(0)
torch.set_grad_enabled(False)
D, K = o.width, o.width // o.heads


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (torch.nn.Linear(D, D) for _ in range(4))
        self.up, self.down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)

    def by_head(self, y):
        return y.view(y.shape[0], y.shape[1], o.heads, K).transpose(1, 2)

    def forward(self, x):
        q, k, v = (self.by_head(part(x)) for part in (self.query, self.key, self.value))
        p = F.softmax(q @ k.transpose(-2, -1) / K ** 0.5, dim=-1)
        x = self.ln_1(x + self.out((p @ v).transpose(1, 2).reshape(x.shape)))
        return self.ln_2(x + self.down(F.gelu(self.up(x))))


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.word, self.place = torch.nn.Embedding(30522, D), torch.nn.Embedding(512, D)
        self.ln = torch.nn.LayerNorm(D)
        self.h = torch.nn.Sequential(*[Block() for _ in range(o.layers)])

    def forward(self, ids):
        return self.h(self.ln(self.word(ids) + self.place(torch.arange(ids.shape[1]))))


model = Encoder().eval()
ids = torch.randint(30522, (o.rows, o.span))
if o.export:
    torch.onnx.export(model, ids, o.export, opset_version=17, input_names=["ids"], output_names=["x"],
                      dynamic_axes={"ids": {0: "B", 1: "T"}, "x": {0: "B", 1: "T"}})
    raise SystemExit
times = []
for step in range(o.steps + o.warm):
    begin = time.perf_counter()
    model(ids)
    times.append(1e3 * (time.perf_counter() - begin))
print(f"{statistics.median(times[o.warm:]):.3f}")
