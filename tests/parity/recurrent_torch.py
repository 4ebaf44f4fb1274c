"""Recurrent layers by PyTorch, for recurrent_test.c: on the same weights and inputs, the outputs, states and gradients
that the programs of recurrent.ptm should have.

usage: recurrent_torch.py --reference       prints what recurrent_reference.txt holds

Everything is float64. nn.LSTM, nn.GRU and nn.RNN compute what they can express; the GRU whose reset gate meets the state
and the LSTM with clipped cells are written out. Masks are lengths of packed sequences. Every case runs twice: from states
that are zero, then on another batch from the states that the first one left, which are constants to the gradient.
"""
import math
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

B, T, I, H, P, LAYERS = 3, 5, 7, 9, 4, 2
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# --- values by formula ---

def wave(k, shape, swing=1.0):
    values = [swing * math.sin(k + i + 0.013 * i * i) for i in range(math.prod(shape))]
    return torch.tensor(values).reshape(shape)


def lengths(run):
    return torch.tensor([1 + (4 + 3 * b + 2 * run) % T for b in range(B)])


class Weights:
    """The parameters of a case in the order that numbers them, as the programs have them: (inputs, outputs)."""

    def __init__(self):
        self.by_path = {}

    def add(self, path, *shape):
        value = wave(len(self.by_path), shape, 0.3)
        self.by_path[path] = value.requires_grad_(True)
        return self.by_path[path]


# --- one layer, from our parameters to what PyTorch calls them ---

def layer_of(w, kind, path, inputs, projected=False, one_bias=False):
    """nn's flat parameters of a layer: weight_ih, weight_hh, bias_ih, bias_hh and perhaps weight_hr."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    outputs = P if projected else H
    flat = [w.add(path + ".w_x", inputs, gates * H).T, w.add(path + ".w_h", outputs, gates * H).T]
    if kind == "lstm":
        flat += [w.add(path + ".b", 4 * H), torch.zeros(4 * H)]
        if projected:
            flat.append(w.add(path + ".w_p", H, P).T)
    elif one_bias:
        flat += [w.add(path + ".b_x", gates * H), torch.zeros(gates * H)]
    else:
        flat += [w.add(path + ".b_x", gates * H), w.add(path + ".b_h", gates * H)]
    return flat


def run_nn(net, flat, x, states, count):
    """The network of `nn` at these parameters, so that gradients go to ours. `count`: steps of each row, or None."""
    names = net._flat_weights_names
    assert [tuple(v.shape) for v in flat] == [tuple(getattr(net, n).shape) for n in names]
    for name, value in zip(names, flat):
        delattr(net, name)
        setattr(net, name, value)
    net._flat_weights = flat
    if count is None:
        return net(x, states)
    packed = pack_padded_sequence(x, count, batch_first=True, enforce_sorted=False)
    y, last = net(packed, states)
    return pad_packed_sequence(y, batch_first=True, total_length=T)[0], last


def gru_before(w, name, x, states):
    """The reset gate meets the state (Cho et al. 2014): two layers, gates in the order r, z, n."""
    last = []
    for i in range(LAYERS):
        path = f"{name}.{i}"
        w_x, w_h = w.add(path + ".w_x", x.shape[2], 3 * H), w.add(path + ".w_h", H, 3 * H)
        b_x, b_h = w.add(path + ".b_x", 3 * H), w.add(path + ".b_h", 3 * H)
        h, ys = states[i], []
        for t in range(T):
            a = x[:, t] @ w_x + b_x
            s = h @ w_h[:, :2 * H] + b_h[:2 * H]
            r, z = torch.sigmoid(a[:, :2 * H] + s).split(H, dim=1)
            n = torch.tanh(a[:, 2 * H:] + (r * h) @ w_h[:, 2 * H:] + b_h[2 * H:])
            h = (1 - z) * n + z * h
            ys.append(h)
        x = torch.stack(ys, dim=1)
        last.append(h)
    return x, torch.stack(last)


def lstm_bounded(w, name, x, states):
    """Two layers with projection (Sak et al. 2014) as TensorFlow has them: gates in the order i, g, f, o, one added to
    the forget gate, cells and projections clipped, here at 0.2."""
    last_h, last_c = [], []
    for i in range(LAYERS):
        path = f"{name}.{i}"
        w_x, w_h = w.add(path + ".w_x", x.shape[2], 4 * H), w.add(path + ".w_h", P, 4 * H)
        b, w_p = w.add(path + ".b", 4 * H), w.add(path + ".w_p", H, P)
        h, c, ys = states[0][i], states[1][i], []
        for t in range(T):
            a, g, f, o = (x[:, t] @ w_x + h @ w_h + b).split(H, dim=1)
            c = (torch.sigmoid(f + 1) * c + torch.sigmoid(a) * torch.tanh(g)).clamp(-0.2, 0.2)
            h = ((torch.sigmoid(o) * torch.tanh(c)) @ w_p).clamp(-0.2, 0.2)
            ys.append(h)
        x = torch.stack(ys, dim=1)
        last_h.append(h)
        last_c.append(c)
    return x, (torch.stack(last_h), torch.stack(last_c))


# --- cases: (outputs, the states as they are handed on, those states by path) ---

class Case:
    def __init__(self, name, kind, masked=False, projected=False, both=False, relu=False, by_hand=None):
        self.name, self.kind, self.masked, self.projected = name, kind, masked, projected
        self.both, self.relu, self.by_hand = both, relu, by_hand
        self.outputs = (P if projected else H) * (2 if both else 1)

    def first_states(self):
        h = torch.zeros(LAYERS * (2 if self.both else 1), B, P if self.projected else H)
        return (h, torch.zeros(h.shape[0], B, H)) if self.kind == "lstm" else h

    def parameters(self, w):
        flat, inputs = [], I
        for i in range(LAYERS):
            for side in (["right", "left"] if self.both else [self.name]):
                flat += layer_of(w, self.kind, f"{side}.{i}", inputs, self.projected, self.relu)
            inputs = self.outputs
        return flat

    def network(self):
        options = {"num_layers": LAYERS, "batch_first": True, "bidirectional": self.both}
        if self.kind == "lstm":
            return nn.LSTM(I, H, proj_size=P if self.projected else 0, **options)
        if self.kind == "gru":
            return nn.GRU(I, H, **options)
        return nn.RNN(I, H, nonlinearity="relu" if self.relu else "tanh", **options)

    def run(self, w, x, states, count):
        if self.by_hand:
            return self.by_hand(w, self.name, x, states)
        return run_nn(self.network(), self.parameters(w), x, states, count)

    def named(self, states):
        """The final states as the program has them. The pair's go from batch to batch only as results."""
        parts = {"h": states[0], "c": states[1]} if self.kind == "lstm" else {"h": states}
        if self.both:
            return {"last": torch.cat([parts["h"][-2], parts["h"][-1]], dim=1)}
        return {f"{self.name}.{i}.{part}": v[i] for i in range(LAYERS) for part, v in parts.items()}


CASES = [
    Case("lstm_plain", "lstm"),
    Case("lstm_masked", "lstm", masked=True),
    Case("lstm_projected", "lstm", projected=True),
    Case("lstm_bounded", "lstm", projected=True, by_hand=lstm_bounded),
    Case("lstm_both", "lstm", masked=True, both=True),
    Case("gru_after", "gru"),
    Case("gru_before", "gru", by_hand=gru_before),
    Case("gru_masked", "gru", masked=True),
    Case("rnn_tanh", "rnn"),
    Case("rnn_masked", "rnn", masked=True),
    Case("rnn_relu", "rnn", relu=True),
]


# --- printing ---

def show(kind, name, value):
    """The norm, the product with a wave, which tells every element from every other, and three elements."""
    flat = value.detach().reshape(-1)
    numbers = [flat.norm(), flat @ wave(1, flat.shape), flat[0], flat[len(flat) // 2], flat[-1]]
    print(kind, name, *(f"{x.item():.17g}" for x in numbers))


def detached(states):
    return tuple(s.detach() for s in states) if isinstance(states, tuple) else states.detach()


def show_case(case):
    print("case", case.name, "masked" if case.masked else "whole", case.outputs)
    states = case.first_states()
    for run in range(2):
        w = Weights()
        x = wave(50 + run, (B, T, I), 0.8).requires_grad_(True)
        count = lengths(run) if case.masked else None
        y, states = case.run(w, x, case.first_states() if case.both else states, count)
        loss = (y * wave(60 + run, (B, T, case.outputs))).sum()
        loss.backward()
        states = detached(states)
        print(f"run {run}")
        print(f"loss {loss.item():.17g}")
        show("output", "y", y)
        for path, value in case.named(states).items():
            show("output" if case.both else "state", path, value)
        for path, value in [("x", x), *w.by_path.items()]:
            show("gradient", path, value.grad)


HEAD = """\
# The entries of recurrent.ptm by PyTorch in float64: recurrent_torch.py --reference prints this file. With
# wave(k)[i] = sin(k + i + 0.013 i^2), i the number of an element: parameter k of a case (from 0, as its gradients stand
# here behind that of x) is 0.3 wave(k); in run n, x is 0.8 wave(50 + n), r is wave(60 + n), and row b of a masked case
# has 1 + (4 + 3 b + 2 n) mod T steps. Run 1 begins with the states that run 0 left. A tensor: its norm, its product with
# wave(1), its elements 0, n/2 and n-1."""


def reference():
    print(HEAD)
    for name, value in [("B", B), ("T", T), ("I", I), ("H", H), ("P", P)]:
        print(f"size {name} {value}")
    for case in CASES:
        show_case(case)


if sys.argv[1:] != ["--reference"]:
    print(__doc__)
    sys.exit(2)
reference()
