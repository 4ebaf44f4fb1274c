"""The recipe of models/charrnn.ptm in PyTorch: Karpathy's char-rnn (train.lua, its defaults) on one text.

usage: torch_charrnn.py TEXT [--seed N] [--epochs N] [--cell lstm|gru|rnn]
Prints one line of JSON an epoch: epoch, train loss (mean over the epoch), valid_loss in nats a character.
One bias a layer is trained, as in the model file: char-rnn's own two add up to one.
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("text")
parser.add_argument("--cell", default="lstm", choices=["lstm", "gru", "rnn"])
for name, default in [("seed", 0), ("epochs", 50), ("width", 128), ("layers", 2), ("span", 50), ("rows", 50), ("threads", 1)]:
    parser.add_argument("--" + name, type=int, default=default)
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(o.seed)

text = open(o.text, encoding="utf-8").read()
pieces = sorted(set(text))
number = {c: i for i, c in enumerate(pieces)}
ids = torch.tensor([number[c] for c in text])
V = len(pieces)
cut = len(ids) - int(len(ids) * 0.05)
fit, held = ids[:cut], ids[cut:]


def streams(x):
    return x[: len(x) // o.rows * o.rows].view(o.rows, -1)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[o.cell]
        self.rnn = kind(V, o.width, o.layers, batch_first=True)
        self.out = torch.nn.Linear(o.width, V)
        for p in self.parameters():
            torch.nn.init.uniform_(p, -0.08, 0.08)
        for path, p in self.rnn.named_parameters():
            if o.cell != "gru" and "bias_hh" in path:
                p.data.zero_()
                p.requires_grad_(False)
            if o.cell == "lstm" and "bias_ih" in path:
                p.data[o.width : 2 * o.width] = 1.0

    def forward(self, x, state):
        y, state = self.rnn(F.one_hot(x, V).float(), state)
        return self.out(y), state


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def nll(model, x, state):
    y, state = model(x[:, :-1], state)
    return F.cross_entropy(y.reshape(-1, V), x[:, 1:].reshape(-1)), state


model = Model()
trained = [p for p in model.parameters() if p.requires_grad]
squares = [torch.zeros_like(p) for p in trained]
rows, valid = streams(fit), streams(held)
steps = (rows.shape[1] - 1) // o.span
begin = time.time()
for epoch in range(1, o.epochs + 1):
    rate = 2e-3 * 0.97 ** max(0, epoch - 10)
    state, total = None, 0.0
    for step in range(steps):
        loss, state = nll(model, rows[:, step * o.span : (step + 1) * o.span + 1], state)
        state = detach(state)
        model.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            for p, m in zip(trained, squares):
                g = p.grad.clamp_(-5, 5)
                m.mul_(0.95).addcmul_(g, g, value=0.05)
                p.addcdiv_(g, m.sqrt().add_(1e-8), value=-rate)
        total += loss.item()
    with torch.no_grad():
        valid_loss = nll(model, valid, None)[0].item()
    print(json.dumps({"epoch": epoch, "loss": round(total / steps, 5), "valid_loss": round(valid_loss, 5),
                      "seconds": round(time.time() - begin)}), flush=True)
