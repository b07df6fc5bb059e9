"""Vectors for model formats, computed by others: the `safetensors` package writes a file, `struct`
and numpy convert halves.

    pip install safetensors==0.8.0 numpy==2.4.6
    python tests/vectors/formats/generate.py          # writes the files
    python tests/vectors/formats/generate.py --check  # compares with them
    python tests/vectors/formats/generate.py --read FILE  # prints what the package reads, as JSON
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

HERE = Path(__file__).parent
UNITS = (3, 5, 2)


class Draw:
    """A linear congruential generator (Knuth's MMIX), so that any language draws the same."""

    def __init__(self, state):
        self.state = state

    def bits(self, count):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> (64 - count)

    def numbers(self, *shape):
        numbers = [self.bits(24) / 2**23 - 1 for _ in range(int(np.prod(shape)))]
        return np.array(numbers, dtype=np.float32).reshape(shape)


def model(dtype):
    """A dense network, its file, and what it makes of some rows: plain products in float64."""
    draw = Draw(7)
    inputs, hidden, outputs = UNITS
    tensors = {
        "layers.0.weight": draw.numbers(hidden, inputs).astype(dtype),
        "layers.0.bias": draw.numbers(hidden),
        "layers.1.weight": draw.numbers(outputs, hidden).astype(dtype),
        "layers.1.bias": draw.numbers(outputs),
    }
    scaling = {"offset": [0.5, -1.25, 2.0], "scale": [2.0, 0.25, -1.5]}
    specification = {
        "inputs": inputs,
        "layers": [
            {"units": hidden, "activation": "tanh"},
            {"units": outputs, "activation": "softmax"},
        ],
        "loss": "cross-entropy",
    }
    metadata = {
        "format": "synaptic-mesh-model",
        "version": "1",
        "specification": json.dumps(specification),
        "task": "classification",
        "classes": json.dumps(["no", "yes"]),
        "scaling": json.dumps(scaling),
        "made-by": "safetensors",
    }
    rows = draw.numbers(4, inputs)
    wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    x = (rows - np.array(scaling["offset"])) * np.array(scaling["scale"])
    x = np.tanh(x @ wide["layers.0.weight"].T + wide["layers.0.bias"])
    x = np.exp(x @ wide["layers.1.weight"].T + wide["layers.1.bias"])
    answers = x / x.sum(axis=1, keepdims=True)
    return save(tensors, metadata=metadata), rows.tolist(), answers.tolist()


def float_bits(number):
    return struct.unpack("<I", struct.pack("<f", number))[0]


def halves():
    """All halves as floats, as a hash; and floats with the half nearest to each, in hex."""
    floats = bytearray()
    for half in range(1 << 16):
        (number,) = struct.unpack("<e", struct.pack("<H", half))
        floats += struct.pack("<f", number) if number == number else struct.pack("<I", 0x7FC00000)
    draw = Draw(11)
    cases = []
    for half in [draw.bits(16) & 0x7FFF for _ in range(200)] + [0, 1, 0x3FF, 0x400, 0x7BFF]:
        # The half itself, the middle to the next, and the floats beside it: where ties are decided.
        if half >= 0x7C00:
            continue
        here, there = (np.uint16(half + step).view(np.float16) for step in (0, 1))
        there = 65536.0 if half == 0x7BFF else float(there)
        middle = np.float32((float(here) + there) / 2)
        cases += [float(here), float(middle)]
        cases += [float(np.nextafter(middle, np.float32(way))) for way in (-np.inf, np.inf)]
    cases += [2.0**-24, 2.0**-25, 2.0**-26, 65519.996, 65520.0, 1e30, float("inf"), 1e-45]
    with np.errstate(over="ignore"):
        nearest = [np.float32(x).astype(np.float16).view(np.uint16) for x in cases]
    pairs = zip(map(float_bits, cases), map(int, nearest))
    texts = [f"{bits:08x}:{half:04x}" for bits, half in pairs]
    lines = [" ".join(texts[at : at + 7]) for at in range(0, len(texts), 7)]
    return {"all": hashlib.sha256(floats).hexdigest(), "rounded": lines}


def files():
    single, rows, answers = model(np.float32)
    half, _, half_answers = model(np.float16)
    about = {
        "_source": "generate.py with safetensors 0.8.0, numpy 2.4.6 and struct of CPython",
        "rows": rows,
        "f32": answers,
        "f16": half_answers,
    }
    return {
        "f32.safetensors": single,
        "f16.safetensors": half,
        "answers.json": json.dumps(about, indent=1).encode() + b"\n",
        "halves.json": json.dumps(halves(), indent=1).encode() + b"\n",
    }


def read(path):
    with safe_open(path, framework="numpy") as file:
        tensors = {
            name: {"shape": tensor.shape, "dtype": str(tensor.dtype), "values": tensor.ravel().tolist()}
            for name in file.keys()
            for tensor in [file.get_tensor(name)]
        }
        print(json.dumps({"metadata": file.metadata(), "tensors": tensors}))


def content(name, file):
    """What is to be equal: the package writes metadata in another order each time."""
    if not name.endswith(".safetensors"):
        return file
    (length,) = struct.unpack("<Q", file[:8])
    return json.loads(file[8 : 8 + length]), file[8 + length :]


def main():
    if sys.argv[1:2] == ["--read"]:
        return read(sys.argv[2])
    for name, file in files().items():
        if "--check" not in sys.argv:
            (HERE / name).write_bytes(file)
        elif content(name, (HERE / name).read_bytes()) != content(name, file):
            sys.exit(f"{name} is not what this machine computes")


main()
