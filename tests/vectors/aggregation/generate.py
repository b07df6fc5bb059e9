"""What byzfl makes of a thousand sets of updates; see README.md.

python generate.py           writes byzfl.json
python generate.py --check   compares with it, to 1e-9
"""

import json
import pathlib
import sys

import numpy

from byzfl.aggregators.aggregators import (
    Average, CenteredClipping, GeometricMedian, Krum, Median, MultiKrum, TrMean,
)
from byzfl.aggregators.preaggregators import ARC, NNM, Clipping

CASES = 1200
FILE = pathlib.Path(__file__).with_name("byzfl.json")

FNV_OFFSET = 0xCBF29CE484222325  # FNV-1a, 64 bits
FNV_PRIME = 0x100000001B3
LCG_MULTIPLIER = 6364136223846793005  # Knuth, MMIX
LCG_INCREMENT = 1442695040888963407
MASK = (1 << 64) - 1


class Draw:
    """Numbers that depend on nothing but a name: state = FNV-1a(name); for every number
    state = state * MULTIPLIER + INCREMENT mod 2^64, and its upper 24 bits over 2^24."""

    def __init__(self, name):
        self.state = FNV_OFFSET
        for byte in name.encode():
            self.state = ((self.state ^ byte) * FNV_PRIME) & MASK

    def uniform(self):
        self.state = (self.state * LCG_MULTIPLIER + LCG_INCREMENT) & MASK
        return (self.state >> 40) / (1 << 24)

    def below(self, bound):
        return int(self.uniform() * bound)


def updates_of(draw, n, d):
    """Rows in [-1, 1), a quarter of them eight times as long: numbers that float32 holds."""
    rows = []
    for _ in range(n):
        scale = 8.0 if draw.below(4) == 0 else 1.0
        rows.append([scale * (2.0 * draw.uniform() - 1.0) for _ in range(d)])
    return numpy.array(rows)


def bulyan(rows, f):
    """El Mhamdi and others, ICML 2018, section 4, written down as it stands there; byzfl has none.
    Krum counts neighbours as byzfl does."""
    left, chosen = [row for row in rows], []
    for _ in range(len(rows) - 2 * f):
        scores = []
        for one in left:
            to_others = sorted(float(((one - other) ** 2).sum()) for other in left)
            scores.append(sum(to_others[1:max(len(left) - f, 2)]))
        chosen.append(left.pop(int(numpy.argmin(scores))))
    chosen = numpy.array(chosen)
    median = numpy.median(chosen, axis=0)
    nearest = numpy.argsort(numpy.abs(chosen - median), axis=0, kind="stable")
    return numpy.take_along_axis(chosen, nearest, axis=0)[: len(chosen) - 2 * f].mean(axis=0)


def fltrust(rows, trusted):
    """Cao and others, NDSS 2021, algorithm 2; byzfl has none."""
    length = numpy.linalg.norm(trusted)
    lengths = numpy.linalg.norm(rows, axis=1)
    trust = numpy.maximum(rows @ trusted / (lengths * length), 0.0)
    if trust.sum() == 0.0:
        return numpy.zeros_like(trusted)
    return (trust[:, None] * rows * (length / lengths)[:, None]).sum(axis=0) / trust.sum()


# Name, updates needed against f hostile ones, and the rule.
RULES = [
    ("mean", lambda f: 1, lambda x, f: Average()(x)),
    ("median", lambda f: 1, lambda x, f: Median()(x)),
    ("trimmed-mean", lambda f: 2 * f + 1, lambda x, f: TrMean(f)(x)),
    ("krum", lambda f: 2 * f + 3, lambda x, f: Krum(f)(x)),
    ("multi-krum", lambda f: 2 * f + 3, lambda x, f: MultiKrum(f)(x)),
    ("geometric-median", lambda f: 1, lambda x, f: GeometricMedian(0.1, 3)(x)),
    ("centered-clipping", lambda f: 1, lambda x, f: CenteredClipping(L=3, tau=1.5)(x)),
    ("mix-nearest", lambda f: 2 * f + 1, lambda x, f: NNM(f)(x)),
    ("clip", lambda f: 1, lambda x, f: Clipping(2.0)(x)),
    ("clip-adaptively", lambda f: 2 * f + 1, lambda x, f: ARC(f)(x)),
    ("bulyan", lambda f: 4 * f + 3, bulyan),
    ("fltrust", lambda f: 1, lambda x, f: fltrust(x[1:], x[0])),
]


def case(number):
    name, needs, rule = RULES[number % len(RULES)]
    draw = Draw(f"aggregation {number}")
    f, d = draw.below(4), 1 + draw.below(7)
    n = needs(f) + 1 + draw.below(6)
    result = numpy.asarray(rule(updates_of(draw, n, d).copy(), f)).ravel()
    values = [float(f"{value:.8g}") for value in result]
    return {"number": number, "rule": name, "n": n, "d": d, "f": f, "is": values}


def main():
    cases = [case(number) for number in range(CASES)]
    if "--check" in sys.argv:
        for kept, new in zip(json.loads(FILE.read_text())["cases"], cases, strict=True):
            assert numpy.allclose(kept.pop("is"), new.pop("is"), 1e-7, 1e-9), (kept, new)
            assert kept == new, (kept, new)
        return
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
    source = "byzfl 0.0.11 (MIT); bulyan and fltrust by generate.py"
    FILE.write_text(f'{{"_source":"{source}",\n"cases":[\n{lines}\n]}}\n')


main()
