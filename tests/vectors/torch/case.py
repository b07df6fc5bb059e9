"""One case: what goes in is drawn, what comes out is computed by PyTorch, twice.

The float32 results are what is written down. The same case in float64 says how far they are from
the truth; a case that is further than `TOLERANCE` is refused.
"""

import copy

import numpy
import torch

# Bound on |float32 - float64| / max(1, |float64|): what a reader of the vectors may ask for.
TOLERANCE = 1e-5

FNV_OFFSET = 0xCBF29CE484222325  # FNV-1a, 64 bits
FNV_PRIME = 0x100000001B3
LCG_MULTIPLIER = 6364136223846793005  # Knuth, MMIX
LCG_INCREMENT = 1442695040888963407
MASK = (1 << 64) - 1


class Draw:
    """Numbers that depend on nothing but the name of the case.

    state = FNV-1a(name); for every number: state = state * MULTIPLIER + INCREMENT mod 2^64, and
    the upper 24 bits of it, over 2^24, are a uniform number in [0, 1).
    """

    def __init__(self, name):
        self.state = FNV_OFFSET
        for byte in name.encode():
            self.state = ((self.state ^ byte) * FNV_PRIME) & MASK

    def uniform(self):
        self.state = (self.state * LCG_MULTIPLIER + LCG_INCREMENT) & MASK
        return (self.state >> 40) / (1 << 24)

    def tensor(self, shape, low=-1.0, high=1.0):
        count = int(numpy.prod(shape, dtype=int))
        values = [low + (high - low) * self.uniform() for _ in range(count)]
        return torch.tensor(values, dtype=torch.float32).reshape(shape)


class Case:
    """Draws in the order of the calls: inputs, then parameters, then buffers, then `dy`."""

    def __init__(self, name, layer, **settings):
        self.head = {"name": name, "layer": layer, "settings": settings}
        self.draw = Draw(name)
        self.inputs = {}
        self.given = {}
        self.module = torch.nn.Identity()

    def input(self, name, shape, low=-1.0, high=1.0):
        """An input that has a gradient."""
        self.inputs[name] = self.draw.tensor(shape, low, high)
        return self

    def give(self, **tensors):
        """What has no gradient: targets, indices, weights of classes."""
        self.given.update(tensors)
        return self

    def with_module(self, module, low=-0.7, high=0.7):
        self.module = module.train()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(self.draw.tensor(parameter.shape, low, high))
            for name, buffer in statistics(module).items():
                spread = (0.5, 1.5) if name == "running_var" else (-0.5, 0.5)
                buffer.copy_(self.draw.tensor(buffer.shape, *spread))
        return self

    def compute(self, forward):
        """`forward(module, **inputs, **given)` gives `y`, or `y` and a dict of further results."""
        dy = None
        results = []
        for dtype in (torch.float32, torch.float64):
            module = copy.deepcopy(self.module).to(dtype)
            inputs = {k: v.clone().to(dtype).requires_grad_() for k, v in self.inputs.items()}
            given = {k: v.to(dtype) if v.is_floating_point() else v for k, v in self.given.items()}
            y = forward(module, **inputs, **given)
            y, further = y if isinstance(y, tuple) else (y, {})
            if dy is None and y.dim() > 0:
                dy = self.draw.tensor(y.shape)
            y.backward(None if dy is None else dy.to(dtype))
            results.append(self.collect(module, inputs, y, further))
        return self.finish(dy, *results)

    def collect(self, module, inputs, y, further):
        found = {"y": y, **further}
        found.update({f"d{name}": tensor.grad for name, tensor in inputs.items()})
        gradients = {name: tensor.grad for name, tensor in module.named_parameters()}
        if gradients:
            found["gradients"] = gradients
        if module.training and statistics(module):
            found["buffers_after"] = statistics(module)
        return found

    def finish(self, dy, result, reference):
        case = {**self.head, **self.inputs, **self.given}
        if dict(self.module.named_parameters()):
            case["parameters"] = dict(self.module.named_parameters())
        if statistics(self.module):
            case["buffers"] = statistics(self.module)
        if dy is not None:
            case["dy"] = dy
        return {**case, **result, "error": error(self.head["name"], result, reference)}


def statistics(module):
    """The running mean and variance; the count of batches is not a result."""
    return {k: v for k, v in module.named_buffers() if v.is_floating_point()}


def error(name, result, reference):
    """The largest distance of the float32 results from the float64 ones; at most `TOLERANCE`."""
    if isinstance(result, dict):
        return max(error(f"{name}.{key}", result[key], reference[key]) for key in result)
    result, reference = result.detach().double(), reference.detach()
    scale = reference.abs().clamp(min=1.0)
    worst = float(((result - reference).abs() / scale).max())
    assert worst <= TOLERANCE, f"{name}: float32 is {worst:.3g} from float64; draw it gentler"
    return worst
