"""What dp-accounting makes of many noisy releases; see README.md.

python generate.py           writes epsilon.json
python generate.py --check   compares with it, to 1e-9
"""

import json
import pathlib
import sys

from dp_accounting import dp_event
from dp_accounting.rdp import RdpAccountant

FILE = pathlib.Path(__file__).with_name("epsilon.json")

MULTIPLIERS = [0.005, 0.05, 0.3, 0.5, 1.0, 2.0, 5.0, 12.5, 40.0, 500.0]
RELEASES = [1, 2, 20, 60, 500, 10_000]
DELTAS = [1e-2, 1e-5, 1e-6, 1e-9]


def epsilon(multiplier, releases, delta):
    accountant = RdpAccountant()
    accountant.compose(dp_event.GaussianDpEvent(multiplier), releases)
    return accountant.get_epsilon(delta)


def main():
    cases = [
        {"multiplier": multiplier, "releases": releases, "delta": delta,
         "epsilon": float(epsilon(multiplier, releases, delta))}
        for multiplier in MULTIPLIERS for releases in RELEASES for delta in DELTAS
    ]
    if "--check" in sys.argv[1:]:
        stored = json.loads(FILE.read_text())
        assert len(stored) == len(cases)
        for one, other in zip(stored, cases):
            gap = abs(one["epsilon"] - other["epsilon"])
            assert gap <= 1e-9 * max(1.0, other["epsilon"]), (one, other)
        return
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
