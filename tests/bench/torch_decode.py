"""One token after the other from a GPT-2 small with drawn weights in PyTorch, the peer of tests/bench/decode.ptm: keys and
values in tensors made beforehand, of which attention reads what is filled.

Prints the median milliseconds of a token, of tokens 1 to 100, and of those from 900 on. The environment chooses the
set-up (threads, OpenBLAS build, ATEN_CPU_CAPABILITY, OMP_WAIT_POLICY); peers.sh has the good ones.
"""
import argparse
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
for name, default in [("layers", 12), ("heads", 12), ("width", 768), ("context", 1024), ("vocab", 50257), ("tokens", 1000),
                      ("threads", 2)]:
    parser.add_argument("--" + name, type=int, default=default)
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(0)
torch.set_grad_enabled(False)
D, K = o.width, o.width // o.heads


class Block:
    def __init__(self):
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)
        self.qkv, self.out = torch.nn.Linear(D, 3 * D), torch.nn.Linear(D, D)
        self.up, self.down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)
        self.keys = torch.zeros(1, o.heads, o.context, K)
        self.values = torch.zeros(1, o.heads, o.context, K)

    def __call__(self, x, at):
        q, k, v = (y.view(1, 1, o.heads, K).transpose(1, 2) for y in self.qkv(self.ln_1(x)).split(D, dim=2))
        self.keys[:, :, at:at + 1], self.values[:, :, at:at + 1] = k, v
        k, v = self.keys[:, :, :at + 1], self.values[:, :, :at + 1]
        p = F.softmax((q @ k.transpose(-2, -1)) * K ** -0.5, dim=-1)
        x = x + self.out((p @ v).transpose(1, 2).reshape(1, 1, D))
        y = self.up(self.ln_2(x))
        y = 0.5 * y * (1 + torch.tanh(0.7978845608028654 * (y + 0.044715 * y * y * y)))
        return x + self.down(y)


wte = torch.randn(o.vocab, D) * 0.02
wpe = torch.randn(o.context, D) * 0.02
blocks, ln_f = [Block() for _ in range(o.layers)], torch.nn.LayerNorm(D)
token, seconds = 0, []
for at in range(o.tokens):
    begin = time.perf_counter()
    x = (wte[token] + wpe[at]).view(1, 1, D)
    for block in blocks:
        x = block(x, at)
    token = int((ln_f(x).view(D) @ wte.t()).argmax())
    seconds.append(time.perf_counter() - begin)
print(*(f"{1e3 * statistics.median(part):.3f}" for part in (seconds, seconds[:100], seconds[900:] or [0])))
