"""Write the reference vectors of this folder, one file per family; see README.md beside it.

    python generate.py          write the files
    python generate.py --check  compute again and compare with the files
"""

import json
import os
import pathlib
import sys

# Before PyTorch is loaded: the plainest kernels, so that other processors print the same digits.
os.environ["ATEN_CPU_CAPABILITY"] = "default"
os.environ["MKL_CBWR"] = "COMPATIBLE"
sys.dont_write_bytecode = True

import numpy
import torch

import layers
import sequences
import training
from case import TOLERANCE

FOLDER = pathlib.Path(__file__).resolve().parent

FAMILIES = {
    "dense": layers.dense,
    "conv1d": layers.conv1d,
    "conv2d": layers.conv2d,
    "pool": layers.pool,
    "batch_norm": layers.batch_norm,
    "layer_norm": layers.layer_norm,
    "activations": layers.activations,
    "combinations": layers.combinations,
    "embedding": sequences.embedding,
    "recurrent": sequences.recurrent,
    "attention": sequences.attention,
    "losses": training.losses,
    "optimisers": training.optimisers,
    "schedules": training.schedules,
}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False
    version = torch.__version__.split("+")[0]
    for family, cases in FAMILIES.items():
        cases = list(cases())
        path = FOLDER / f"{family}.json"
        text = document(f"PyTorch {version}, CPU, float32; see README.md", cases)
        if "--check" in sys.argv:
            compare(family, json.loads(path.read_text()), json.loads(text))
        else:
            path.write_text(text)
        worst = max(case["error"] for case in cases)
        print(f"{path.name}: {len(cases)} cases, {len(text)} bytes, error {worst:.2g}")


def document(source, cases):
    """One tensor per line: small, and a change shows where it is."""
    body = ",\n".join("{" + ",\n ".join(entries(case)) + "}" for case in cases)
    return f'{{"_source": {json.dumps(source)},\n"cases": [\n{body}\n]}}\n'


def entries(case):
    for key, value in case.items():
        if key == "error":
            yield f'"error": {value:.2g}'
        elif isinstance(value, torch.Tensor):
            yield f'"{key}": {tensor(value)}'
        elif key == "settings" or not isinstance(value, dict):
            yield f'"{key}": {json.dumps(value)}'
        else:
            inner = ",\n  ".join(f'"{name}": {tensor(part)}' for name, part in value.items())
            yield f'"{key}": {{\n  {inner}}}'


def tensor(value):
    """Nine significant digits name every float32; integers are printed as they are."""
    value = value.detach().contiguous()
    numbers = ",".join(number(item) for item in value.flatten().tolist())
    return f'{{"shape": {json.dumps(list(value.shape))}, "values": [{numbers}]}}'


def number(item):
    if isinstance(item, int):
        return str(item)
    text = f"{item + 0.0:.9g}"
    assert numpy.float32(text) == numpy.float32(item), f"{item} is not {text}"
    return text


def compare(where, old, new):
    if isinstance(new, dict) and old.keys() == new.keys():
        for key in new.keys() - {"_source", "error"}:
            compare(f"{where}.{key}", old[key], new[key])
    elif isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new)):
            compare(f"{where}[{index}]", *pair)
    elif isinstance(new, float) or isinstance(old, float):
        far = abs(old - new) > TOLERANCE * max(1.0, abs(new))
        assert not far, f"{where}: {old} is written, {new} is computed"
    else:
        assert old == new, f"{where}: {old} is written, {new} is computed"


if __name__ == "__main__":
    main()
