"""Processor time of augmentation per frame of 224 pixels, on one thread, of grey frames and of frames in colour.

python benchmarks/augmentation_cost.py
"""

from __future__ import annotations

import statistics
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from sonoproof.training.augmentation import Augmentation, draw
from sonoproof.training.augmenting import augment
from sonoproof.training.recipes import VARIED, ZOOM_SHEAR_FLIP

FRAMES, SIZE, ROUNDS = 64, 224, 15
IDS = [str(number) for number in range(FRAMES)]


def main() -> None:
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE, SIZE, 1), dtype=np.uint8)
    grey = np.repeat(noise, 3, axis=3)
    coloured = grey.copy()
    coloured[..., 2] = 255 - grey[..., 2]
    for name, augmentation in (("default, classic", ZOOM_SHEAR_FLIP), ("varied", VARIED)):
        costs = ", ".join(
            f"{kind} {_cost(frames, augmentation):.0f}" for kind, frames in (("grey", grey), ("colour", coloured))
        )
        print(f"{name}: microseconds per frame: {costs}")


def _cost(frames: NDArray[np.uint8], augmentation: Augmentation) -> float:
    """Microseconds of the processor per frame, the median of rounds."""
    spent = []
    for epoch in range(ROUNDS):
        started = time.process_time()
        augment(frames, draw(IDS, augmentation=augmentation, seed=0, epoch=epoch, size=SIZE))
        spent.append(time.process_time() - started)
    return 1e6 * statistics.median(spent) / len(frames)


if __name__ == "__main__":
    main()
