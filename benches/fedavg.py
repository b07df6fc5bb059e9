"""Federated averaging on the digits in NumPy, to compare the rounds of docs/learning.md with.

Nothing in it is shared with the crate but the rows: other random numbers divide them, begin the
weights and order the batches. `python3 benches/fedavg.py [seeds]` prints the rounds to 95 % and the
final accuracy, as `cargo bench --no-default-features --bench learning` does; it needs numpy.
"""

import pathlib
import sys

import numpy as np

MEMBERS, BATCH, RATE, EPOCHS = 10, 32, 0.3, 5
ROWS = np.loadtxt(pathlib.Path(__file__).parent.parent / "data/digits.csv", delimiter=",")
INPUTS, LABELS = (ROWS[:, :-1] / 16).astype(np.float32), ROWS[:, -1].astype(int)


def split(random, share=0.2):
    """Rows to train on and to test on, the same share of every digit."""
    test = [random.permutation(np.flatnonzero(LABELS == digit)) for digit in range(10)]
    test = np.concatenate([rows[: round(share * len(rows))] for rows in test])
    return np.setdiff1d(np.arange(len(LABELS)), test), test


def divide(random, rows, alpha):
    """Evenly, or each digit in proportions of a Dirichlet distribution; two rows at least."""
    if alpha is None:
        return np.array_split(random.permutation(rows), MEMBERS)
    while True:
        shares = [[] for _ in range(MEMBERS)]
        for digit in range(10):
            own = random.permutation(rows[LABELS[rows] == digit])
            ends = np.cumsum(random.dirichlet([alpha] * MEMBERS))[:-1]
            for share, part in zip(shares, np.split(own, (ends * len(own)).astype(int))):
                share.extend(part)
        if min(map(len, shares)) >= 2:
            return [np.array(share) for share in shares]


def begin(random):
    """He's uniform weights before relu, Glorot's before softmax, biases of zero."""
    first, second = np.sqrt(6 / 64), np.sqrt(6 / 42)
    hidden, last = random.uniform(-first, first, (64, 32)), random.uniform(-second, second, (32, 10))
    return [w.astype(np.float32) for w in (hidden, np.zeros(32), last, np.zeros(10))]


def train(random, weights, rows):
    """Plain descent on the mean cross-entropy of each batch, the last of which may be shorter."""
    w1, b1, w2, b2 = [w.copy() for w in weights]
    for _ in range(EPOCHS):
        order = random.permutation(rows)
        for batch in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
            x = INPUTS[batch]
            h = np.maximum(x @ w1 + b1, 0)
            z = h @ w2 + b2
            e = np.exp(z - z.max(1, keepdims=True))
            d = e / e.sum(1, keepdims=True)
            d[np.arange(len(batch)), LABELS[batch]] -= 1
            d /= len(batch)
            dh = (d @ w2.T) * (h > 0)
            w2 -= RATE * (h.T @ d)
            b2 -= RATE * d.sum(0)
            w1 -= RATE * (x.T @ dh)
            b1 -= RATE * dh.sum(0)
    return w1, b1, w2, b2


def accuracy(weights, rows):
    w1, b1, w2, b2 = weights
    told = np.argmax(np.maximum(INPUTS[rows] @ w1 + b1, 0) @ w2 + b2, 1)
    return 100 * (told == LABELS[rows]).mean()


def run(seed, alpha, rounds, momentum):
    random = np.random.default_rng(seed)
    training, test = split(random)
    shares, weights, found = divide(random, training, alpha), begin(random), []
    velocity = [0.0] * 4
    for _ in range(rounds):
        change = [0.0] * 4
        for rows in shares:
            for place, new in enumerate(train(random, weights, rows)):
                change[place] += (new - weights[place]) * (len(rows) / len(training))
        velocity = [momentum * v + c for v, c in zip(velocity, change)]
        weights = [(w + v).astype(np.float32) for w, v in zip(weights, velocity)]
        found.append(accuracy(weights, test))
    return found


def main(seeds):
    for name, alpha, rounds in (("even", None, 40), ("Dirichlet(0.1)", 0.1, 120)):
        for momentum in (0.0, 0.7):
            runs = [run(seed, alpha, rounds, momentum) for seed in range(1, seeds + 1)]
            first = [next((n for n, a in enumerate(r, 1) if a >= 95), 10**6) for r in runs]
            first.sort()
            reached = [n for n in first if n < 10**6]
            final = [np.mean(r[-5:]) for r in runs]
            print(
                f"{name}, server momentum {momentum}: 95 % after {first[len(first) // 2]}"
                f" ({reached[0]}-{reached[-1]}), {len(first) - len(reached)} never,"
                f" final {np.mean(final):.1f} +- {np.std(final, ddof=1):.1f}",
                flush=True,
            )


main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
