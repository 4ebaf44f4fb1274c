"""A training step of GPT-2's form in PyTorch, the peer of tests/bench/gpt2.ptm: same shapes, same operators, AdamW and clipping.

Prints the median milliseconds of a step over --steps steps. The environment chooses the set-up (threads, OpenBLAS build,
ATEN_CPU_CAPABILITY, OMP_WAIT_POLICY); peers.sh has the good ones.
"""
import argparse
import math
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
for name, default in [("layers", 4), ("heads", 4), ("width", 128), ("context", 64), ("batch", 12), ("vocab", 65),
                      ("places", 1024), ("steps", 60), ("warm", 5), ("threads", 2)]:
    parser.add_argument("--" + name, type=int, default=default)
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(0)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        D = o.width
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)
        self.qkv = torch.nn.Linear(D, 3 * D)
        self.out = torch.nn.Linear(D, D)
        self.up = torch.nn.Linear(D, 4 * D)
        self.down = torch.nn.Linear(4 * D, D)
        self.register_buffer("future", torch.ones(o.context, o.context).triu(1).bool())

    def forward(self, x):
        B, T, D = x.shape
        q, k, v = (y.view(B, T, o.heads, D // o.heads).transpose(1, 2) for y in self.qkv(self.ln_1(x)).split(D, dim=2))
        s = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(D // o.heads))
        p = F.softmax(s.masked_fill(self.future[:T, :T], float("-inf")), dim=-1)
        x = x + self.out((p @ v).transpose(1, 2).reshape(B, T, D))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = torch.nn.Embedding(o.vocab, o.width)
        self.wpe = torch.nn.Embedding(o.places, o.width)
        self.h = torch.nn.Sequential(*[Block() for _ in range(o.layers)])
        self.ln_f = torch.nn.LayerNorm(o.width)
        self.apply(lambda m: torch.nn.init.normal_(m.weight, std=0.02) if hasattr(m, "weight") and m.weight.dim() > 1 else None)

    def forward(self, ids):
        x, y = ids[:, :-1], ids[:, 1:]
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        logits = self.ln_f(self.h(h)) @ self.wte.weight.t()
        return F.cross_entropy(logits.reshape(-1, o.vocab), y.reshape(-1))


model = Gpt()
small = sum(p.numel() for p in model.parameters()) < 2e7       # lists of tensors at once are faster for these alone
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, foreach=small)
batches = torch.randint(o.vocab, (16, o.batch, o.context + 1))
times = []
for step in range(o.steps + o.warm):
    begin = time.perf_counter()
    loss = model(batches[step % 16])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    loss.item()
    times.append(1e3 * (time.perf_counter() - begin))
print(f"{statistics.median(times[o.warm:]):.3f}")
