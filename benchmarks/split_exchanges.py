"""What exchanges of groups gain in the split: the distance from the shares asked for, with them and without.

Run ``python benchmarks/split_exchanges.py``. The distance is the square root of J in
`sonoproof.data.split.allocation`; 0 is a division that meets every share.
"""

from __future__ import annotations

import time
from unittest import mock

import numpy as np

from sonoproof.data.split import allocation
from sonoproof.types import IntArray

SHARES = np.array([0.6, 0.2, 0.2])
TRIALS = 20


def draw_groups(n: int, rng: np.random.Generator) -> IntArray:
    """Rows of two classes in groups of uneven size; a fifth of the groups holds both classes."""
    size = np.ceil(np.exp(rng.normal(2.0, 1.0, n))).astype(np.int64)
    counts = np.where(rng.random((n, 1)) < 0.5, np.stack([size, 0 * size], axis=1), np.stack([0 * size, size], axis=1))
    mixed = rng.random(n) < 0.2
    counts[mixed] = rng.integers(1, 20, (int(mixed.sum()), 2))
    return counts


def measure(n: int, *, exchanged: int) -> tuple[float, float]:
    """Median distance, and milliseconds of processor time for one allocation."""
    distances = []
    start = time.process_time()
    with mock.patch.object(allocation, "_MAX_GROUPS_EXCHANGED", exchanged):
        for trial in range(TRIALS):
            counts = draw_groups(n, np.random.default_rng([n, trial]))
            parts = allocation.allocate(counts, shares=SHARES, rng=np.random.default_rng(trial))
            distances.append(np.sqrt(allocation.score(counts, shares=SHARES, parts=parts)))
    return float(np.median(distances)), (time.process_time() - start) / TRIALS * 1e3


def main() -> None:
    """Print one line for each number of groups."""
    for n in (12, 40, 80):
        (with_them, slow), (without, fast) = measure(n, exchanged=80), measure(n, exchanged=0)
        print(f"{n} groups: {with_them:.4f} in {slow:.0f} ms with exchanges, {without:.4f} in {fast:.0f} ms without")


if __name__ == "__main__":
    main()
