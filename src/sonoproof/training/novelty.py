"""Whether a frame resembles those that a model was trained on, or is a photograph, noise or a blank screen.

The novelty score is the distance to the nearest training frames, measured between simple statistics of the pictures, as
a share of a limit that only few held-out frames exceed. Neither labels nor the network play a part in it: every engine
gives the same score, and it notices what the network was never taught to see.

References:
    Sun, Ming, Zhu, Li (2022), Out-of-distribution detection with deep nearest neighbors, ICML.
    Bates, Candès, Lei, Romano, Sesia (2023), Testing for outliers with conformal p-values, Ann. Stat. 51:149.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from sonoproof.training.conformal import group_quantile
from sonoproof.types import FloatArray, Json, UInt8Array

Floats = npt.NDArray[np.float32]

# The mean distance to this many nearest training frames is taken.
NEIGHBOURS = 5
# Share of the frames of a new group that may score above 1, where there are groups enough to measure it.
FALSE_ALARMS = 0.02
# Side to which larger frames are reduced for the statistics, in pixels: more costs time and tells no more.
_SIDE = 128
# Spread below which two frames do not differ in a statistic: that of recompression.
_MIN_SPREAD = 0.02


@dataclass(frozen=True, eq=False)
class NoveltyScorer:
    """The training frames as points, and how far from them another frame may lie.

    Attributes:
        points: Standardised picture statistics of training frames, float32, shape (R, K).
        centre: Subtracted before, float32, shape (K,).
        spread: Divided by before, float32, shape (K,).
        limit: Distance above which a frame does not resemble them, float32, shape (1,).
    """

    points: Floats
    centre: Floats
    spread: Floats
    limit: Floats

    def score(self, frames: UInt8Array) -> FloatArray:
        """Novelty scores, shape (N,): above 1, a frame does not resemble the training frames.

        Args:
            frames: Frames as the network takes them, uint8, shape (N, H, W, 3).
        """
        return self._distances(frames) / float(self.limit[0])

    def to_dict(self) -> dict[str, list[Any]]:
        """The same as plain numbers, for JSON."""
        return {name: array.tolist() for name, array in self.__dict__.items()}

    @classmethod
    def from_dict(cls, content: Json) -> Self:
        """What `to_dict` wrote.

        Raises:
            TypeError: An entry is missing or not known.
        """
        return cls(**{name: np.asarray(values, dtype=np.float32) for name, values in content.items()})

    def _distances(self, frames: UInt8Array) -> FloatArray:
        # In double precision: a score must not depend on the other frames of the batch.
        points = (frame_statistics(frames).astype(np.float64) - self.centre) / self.spread
        known = self.points.astype(np.float64)
        squared = (points**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * points @ known.T
        nearest = np.partition(squared, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        return np.asarray(np.sqrt(np.maximum(nearest, 0)).mean(axis=1), dtype=np.float64)


def fit_novelty(train: UInt8Array, *, held_out: UInt8Array, groups: npt.ArrayLike) -> NoveltyScorer:
    """Learn what training frames look like, and from held-out ones how far such frames may lie from them.

    Args:
        train: Training frames, uint8, shape (R, H, W, 3), at least `NEIGHBOURS` of them.
        held_out: Frames that no gradient has seen, uint8, shape (N, H, W, 3).
        groups: Name of the group of each held-out frame, shape (N,).
    """
    statistics = frame_statistics(train)
    centre, spread = statistics.mean(axis=0), np.maximum(statistics.std(axis=0), _MIN_SPREAD)
    points = ((statistics - centre) / spread).astype(np.float32)
    fitted = NoveltyScorer(points, centre.astype(np.float32), spread.astype(np.float32), np.ones(1, np.float32))
    scores = fitted.score(held_out)
    limit = group_quantile(scores, groups=groups, error=FALSE_ALARMS)
    limit = max(float(scores.max()) if limit is None else limit, 1e-6)
    return replace(fitted, limit=np.array([limit], np.float32))


def frame_statistics(frames: UInt8Array) -> Floats:
    """Brightness, contrast, colour, grain and layout of frames, each of the order of one.

    Args:
        frames: uint8, shape (N, H, W, 3).

    Returns:
        Shape (N, 13).
    """
    return np.stack([_statistics(frame) for frame in frames]).astype(np.float32)


def _statistics(frame: UInt8Array) -> FloatArray:
    if max(frame.shape[:2]) > _SIDE:
        frame = np.asarray(cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    colour = frame.astype(np.float32) / 255
    grey = colour.mean(axis=2)
    down, across = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(grey, axis=1))
    contrast = float(grey.std()) + 0.01
    histogram = np.bincount((grey * 31.99).astype(np.intp).ravel(), minlength=32) / grey.size
    half, third = grey.shape[0] // 2, max(1, grey.shape[1] // 3)
    # A sector leaves the upper corners dark; a photograph fills them.
    corners = (grey[:half, :third].mean() + grey[:half, -third:].mean()) / 2
    return np.array(
        [
            grey.mean(),
            contrast,
            (colour.max(axis=2) - colour.min(axis=2)).mean(),
            (grey < 0.04).mean(),
            (grey > 0.96).mean(),
            -(histogram * np.log(histogram + 1e-12)).sum() / np.log(32),
            np.log((down.mean() + 1e-3) / contrast),
            np.log((across.mean() + 1e-3) / contrast),
            np.log((down.mean() + 1e-3) / (across.mean() + 1e-3)),
            _correlation(grey, lag=2, axis=0),
            _correlation(grey, lag=2, axis=1),
            corners - grey.mean(),
            grey[half:].mean() - grey[:half].mean(),
        ]
    )


def _correlation(grey: Floats, *, lag: int, axis: int) -> float:
    """Correlation of pixels `lag` apart: high where there are surfaces, low in noise."""
    length = grey.shape[axis]
    first, second = np.take(grey, range(length - lag), axis), np.take(grey, range(lag, length), axis)
    covariance = float(((first - first.mean()) * (second - second.mean())).mean())
    return covariance / (float(first.std() * second.std()) + 1e-4)
