"""A training step of a word-level language model in PyTorch, the peer of tests/bench/rnn.ptm.

Same shapes and operators: embedding, recurrent layers, a linear map to the vocabulary, cross entropy summed over the steps, gradients
clipped by their global norm, SGD. Prints the median milliseconds of a step over --steps steps. The environment chooses the set-up
(threads, OpenBLAS build, ATEN_CPU_CAPABILITY, OMP_WAIT_POLICY); peers.sh has the good ones.
"""
import argparse
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--cell", default="lstm", choices=["lstm", "gru", "rnn"])
for name, default in [("layers", 2), ("width", 200), ("span", 20), ("rows", 20), ("vocab", 10000), ("steps", 30), ("threads", 2)]:
    parser.add_argument("--" + name, type=int, default=default)
o = parser.parse_args()
torch.set_num_threads(o.threads)
torch.manual_seed(0)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = torch.nn.Embedding(o.vocab, o.width)
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[o.cell]
        self.rnn = kind(o.width, o.width, o.layers)
        self.out = torch.nn.Linear(o.width, o.vocab)

    def forward(self, ids, state):
        y, state = self.rnn(self.emb(ids), state)
        return self.out(y), state


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
batches = torch.randint(o.vocab, (16, o.span + 1, o.rows))      # time first, PyTorch's faster layout
state, times = None, []
for step in range(o.steps + 5):
    begin = time.perf_counter()
    ids = batches[step % 16]
    y, state = model(ids[:-1], state)
    state = detach(state)
    loss = F.cross_entropy(y.reshape(-1, o.vocab), ids[1:].reshape(-1), reduction="sum") / o.rows
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    loss.item()
    times.append(1e3 * (time.perf_counter() - begin))
print(f"{statistics.median(times[5:]):.3f}")
