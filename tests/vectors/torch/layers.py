"""Layers that look at one sample: dense, convolution, pooling, normalisation, activation, sums.

Images and sequences are channels-last here, as this project keeps them; PyTorch is asked in its
own order, [batch, channels, ...], and its answer is turned back.
"""

import torch
from torch import nn
from torch.nn import functional

from case import Case


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def apply_channels_last(module, x):
    return channels_last(module(channels_first(x)))


# ---- dense ------------------------------------------------------------------------------------


def dense():
    yield linear("dense", [3, 4], 5)
    yield linear("dense_without_bias", [2, 5], 3, bias=False)
    yield linear("dense_one_to_one", [3, 1], 1)
    yield linear("dense_on_steps", [2, 3, 4], 2)


def linear(name, shape, out, bias=True):
    case = Case(name, "linear", in_features=shape[-1], out_features=out, bias=bias)
    case.input("x", shape).with_module(nn.Linear(shape[-1], out, bias))
    return case.compute(lambda module, x: module(x))


# ---- convolution ------------------------------------------------------------------------------


def conv1d():
    yield conv("conv1d", [2, 8, 1], 3, [3])
    yield conv("conv1d_stride_2_padding_1", [2, 9, 3], 4, [3], stride=[2], padding=[[1, 1]])
    yield conv("conv1d_dilation_2", [2, 9, 2], 3, [3], dilation=[2])
    yield conv("conv1d_causal_dilation_2", [2, 7, 3], 2, [3], padding=[[4, 0]], dilation=[2])
    yield conv("conv1d_same", [2, 6, 3], 2, [5], padding="same")
    yield conv("conv1d_same_even_kernel", [2, 6, 3], 2, [4], padding="same")
    yield conv("conv1d_same_stride_2", [2, 6, 3], 2, [3], stride=[2], padding="same")
    yield conv("conv1d_groups_2", [2, 7, 4], 6, [3], groups=2)
    yield conv("conv1d_depthwise", [3, 7, 3], 3, [3], padding=[[1, 1]], groups=3)
    yield conv("conv1d_without_bias", [3, 5, 3], 2, [1], bias=False)


def conv2d():
    yield conv("conv2d", [2, 5, 6, 1], 3, [3, 3])
    yield conv("conv2d_three_channels", [2, 5, 5, 3], 4, [3, 3])
    yield conv(
        "conv2d_stride_2_1_padding_1_2", [2, 6, 5, 3], 2, [3, 4],
        stride=[2, 1], padding=[[1, 1], [2, 2]],
    )
    yield conv("conv2d_dilation_2_1", [2, 6, 5, 2], 3, [2, 3], dilation=[2, 1])
    yield conv("conv2d_same", [2, 4, 5, 3], 2, [3, 3], padding="same")
    yield conv("conv2d_same_even_kernel", [2, 4, 5, 2], 2, [2, 4], padding="same")
    yield conv("conv2d_same_stride_2", [2, 6, 5, 3], 2, [3, 3], stride=[2, 2], padding="same")
    yield conv("conv2d_groups_2", [2, 4, 5, 4], 6, [3, 2], groups=2)
    yield conv("conv2d_depthwise", [2, 5, 4, 3], 3, [3, 3], padding=[[1, 1], [1, 1]], groups=3)
    yield conv("conv2d_depthwise_twice", [2, 4, 4, 3], 6, [3, 3], stride=[2, 2], groups=3)
    yield conv(
        "conv2d_everything", [2, 6, 5, 2], 4, [3, 2],
        stride=[2, 1], padding=[[2, 2], [1, 1]], dilation=[2, 2], groups=2,
    )
    yield conv("conv2d_pointwise_without_bias", [3, 3, 4, 3], 4, [1, 1], bias=False)


def conv(
    name, shape, out, kernel, stride=None, padding=None, dilation=None, groups=1, bias=True
):
    axes = len(kernel)
    stride, dilation = stride or [1] * axes, dilation or [1] * axes
    same = padding == "same"
    if same:
        padding = same_padding(shape[1:-1], kernel, stride, dilation)
    padding = padding or [[0, 0]] * axes
    case = Case(
        name, f"conv{axes}d", in_channels=shape[-1], out_channels=out, kernel_size=kernel,
        stride=stride, padding=padding, same=same, dilation=dilation, groups=groups, bias=bias,
    )
    # PyTorch has its own "same", for strides of one; its own padding cannot be lopsided.
    own = "same" if same and set(stride) == {1} else symmetric(padding)
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    module = kind(
        shape[-1], out, kernel, stride, 0 if own is None else own, dilation, groups, bias
    )
    flat = [] if own is not None else [side for pair in reversed(padding) for side in pair]

    def forward(module, x):
        return channels_last(module(functional.pad(channels_first(x), flat)))

    return case.input("x", shape).with_module(module).compute(forward)


def symmetric(padding):
    return [a for a, _ in padding] if all(a == b for a, b in padding) else None


def same_padding(sizes, kernel, stride, dilation):
    """Zeros that make ceil(size / stride) outputs; the odd one goes after."""
    pairs = []
    for size, taps, step, gap in zip(sizes, kernel, stride, dilation):
        outputs = -(-size // step)
        total = max((outputs - 1) * step + gap * (taps - 1) + 1 - size, 0)
        pairs.append([total // 2, total - total // 2])
    return pairs


# ---- pooling ----------------------------------------------------------------------------------


def pool():
    for kind in ("max", "avg"):
        yield pooling(f"{kind}_pool1d", kind, [2, 7, 3], [2], [2])
        yield pooling(f"{kind}_pool1d_overlapping", kind, [2, 8, 2], [3], [2])
        yield pooling(f"{kind}_pool1d_with_gaps", kind, [2, 8, 1], [2], [3])
        yield pooling(f"{kind}_pool2d", kind, [2, 4, 5, 3], [2, 2], [2, 2])
        yield pooling(f"{kind}_pool2d_overlapping", kind, [2, 6, 5, 2], [3, 2], [2, 1])
        yield pooling(f"{kind}_pool2d_with_gaps", kind, [3, 5, 6, 1], [1, 2], [2, 3])
    yield pooling("max_pool1d_ties", "max", [2, 8, 2], [3], [2], ties=True)
    yield pooling("max_pool2d_ties", "max", [2, 5, 5, 2], [3, 3], [2, 2], ties=True)


def pooling(name, kind, shape, kernel, stride, ties=False):
    layer = f"{kind}_pool{len(kernel)}d"
    case = Case(name, layer, kernel_size=kernel, stride=stride).input("x", shape)
    if ties:
        # What relu leaves: many zeros. The first of equal values has the gradient.
        case.inputs["x"] = (case.inputs["x"] * 2.0).round().clamp(min=0.0) / 2.0
    function = getattr(functional, layer)
    return case.compute(
        lambda module, x: channels_last(function(channels_first(x), kernel, stride))
    )


# ---- normalisation ----------------------------------------------------------------------------


def batch_norm():
    for training in (True, False):
        mode = "training" if training else "eval"
        yield batch(f"batch_norm_dense_{mode}", [4, 4], training)
        yield batch(f"batch_norm_steps_{mode}", [2, 5, 3], training)
        yield batch(f"batch_norm_images_{mode}", [2, 3, 4, 3], training)
    yield batch("batch_norm_momentum_and_eps", [3, 3, 2], True, momentum=0.3, eps=1e-3)


def batch(name, shape, training, momentum=0.1, eps=1e-5):
    case = Case(name, "batch_norm", momentum=momentum, eps=eps, training=training)
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    case.input("x", shape, -2.0, 2.0)
    case.with_module(kind(shape[-1], eps=eps, momentum=momentum), 0.3, 1.5)
    case.module.train(training)
    return case.compute(apply_channels_last)


def layer_norm():
    yield norm("layer_norm", [3, 6], [6])
    yield norm("layer_norm_on_steps", [2, 4, 5], [5])
    yield norm("layer_norm_over_two_axes", [2, 3, 4], [3, 4])
    yield norm("layer_norm_without_affine", [2, 7], [7], affine=False)


def norm(name, shape, over, affine=True):
    case = Case(name, "layer_norm", normalized_shape=over, eps=1e-5, affine=affine)
    case.input("x", shape, -2.0, 2.0)
    case.with_module(nn.LayerNorm(over, eps=1e-5, elementwise_affine=affine), 0.3, 1.5)
    return case.compute(lambda module, x: module(x))


# ---- activations and sums ---------------------------------------------------------------------

ACTIVATIONS = {
    "relu": (functional.relu, {}),
    "leaky_relu": (functional.leaky_relu, {"negative_slope": 0.01}),
    "tanh": (torch.tanh, {}),
    "sigmoid": (torch.sigmoid, {}),
    "softmax": (functional.softmax, {"dim": -1}),
    "gelu": (functional.gelu, {"approximate": "none"}),
    "elu": (functional.elu, {"alpha": 1.0}),
    "softplus": (functional.softplus, {"beta": 1.0}),
}


def activations():
    """Each in its bend, and far out where careless formulas overflow or cancel."""
    for name, (function, settings) in ACTIVATIONS.items():
        for case_name, reach in ((name, 3.0), (f"{name}_far", 30.0)):
            case = Case(case_name, name, **settings).input("x", [3, 6], -reach, reach)
            yield case.compute(lambda module, x: function(x, **settings))


def combinations():
    yield Case("residual_add", "residual_add").input("x", [2, 3, 4]).input(
        "r", [2, 3, 4]
    ).compute(lambda module, x, r: x + r)
    case = Case("residual_dense", "residual", inner="linear").input("x", [3, 4])
    yield case.with_module(nn.Linear(4, 4)).compute(lambda module, x: x + module(x))
    case = Case("residual_dense_tanh", "residual", inner="tanh(linear)").input("x", [2, 5])
    yield case.with_module(nn.Linear(5, 5)).compute(lambda module, x: x + torch.tanh(module(x)))
    case = Case("gated", "gated").input("x", [2, 3, 4], -2.0, 2.0)
    yield case.input("g", [2, 3, 4], -4.0, 4.0).compute(lambda module, x, g: x * torch.sigmoid(g))
    case = Case("gated_halves", "glu", dim=-1).input("x", [3, 8], -3.0, 3.0)
    yield case.compute(lambda module, x: functional.glu(x, -1))
