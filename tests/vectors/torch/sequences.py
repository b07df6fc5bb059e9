"""Layers that look along a sequence: embedding, recurrent, attention. All [batch, steps, ...]."""

import torch
from torch import nn

from case import Case


def embedding():
    yield lookup("embedding", 6, 3, [[0, 5, 2, 2], [1, 2, 0, 3]])
    yield lookup("embedding_one_index", 4, 5, [[3], [1], [3]])


def lookup(name, count, width, indices):
    case = Case(name, "embedding", num_embeddings=count, embedding_dim=width)
    case.give(indices=torch.tensor(indices)).with_module(nn.Embedding(count, width), -1.0, 1.0)
    return case.compute(lambda module, indices: module(indices))


def recurrent():
    for layer, kind in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
        yield recurrence(layer, layer, kind, [2, 5, 3], 4)
        yield recurrence(f"{layer}_bidirectional", layer, kind, [2, 4, 3], 3, bidirectional=True)
        yield recurrence(f"{layer}_without_bias", layer, kind, [3, 3, 2], 2, bias=False)
        yield recurrence(f"{layer}_long", layer, kind, [2, 16, 1], 3)


def recurrence(name, layer, kind, shape, hidden, bias=True, bidirectional=False):
    case = Case(
        name, layer, input_size=shape[-1], hidden_size=hidden, bias=bias,
        bidirectional=bidirectional, **({"nonlinearity": "tanh"} if layer == "rnn" else {}),
    )
    module = kind(shape[-1], hidden, bias=bias, batch_first=True, bidirectional=bidirectional)

    def forward(module, x):
        y, state = module(x)
        return y, dict(zip(("h_n", "c_n"), state if layer == "lstm" else (state,)))

    return case.input("x", shape).with_module(module).compute(forward)


def attention():
    yield attend("attention", [2, 5, 8], 2)
    yield attend("attention_causal", [2, 5, 8], 2, causal=True)
    yield attend("attention_one_head", [2, 4, 6], 1)
    yield attend("attention_causal_without_bias", [3, 4, 8], 2, causal=True, bias=False)


def attend(name, shape, heads, causal=False, bias=True):
    case = Case(
        name, "multi_head_attention", embed_dim=shape[-1], num_heads=heads, causal=causal,
        bias=bias,
    )
    module = nn.MultiheadAttention(shape[-1], heads, bias=bias, batch_first=True)
    # True forbids: a step does not see those after it.
    later = torch.ones(shape[1], shape[1], dtype=torch.bool).triu(1) if causal else None

    def forward(module, x):
        return module(x, x, x, attn_mask=later, need_weights=False)[0]

    return case.input("x", shape, -2.0, 2.0).with_module(module).compute(forward)
