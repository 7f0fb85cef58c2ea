"""From a logit to what is said: the calibrated probability, the call, and whether the model is sure enough to answer.

Nothing is chosen here: these are the choices of `sonoproof.evaluation.choosing` as they travel with the weights.
Needs numpy alone, as inference may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "NOT_SURE",
    "UNLIKE",
    "Abstention",
    "Calibration",
    "Decided",
    "Decision",
    "Method",
    "OperatingPoint",
    "PolicyName",
    "answers_of",
    "calibrated",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Method = Literal["none", "temperature", "platt", "isotonic"]
PolicyName = Literal["fixed", "youden", "sensitivity", "specificity", "cost"]

# What stands as the answer where no class is named.
NOT_SURE = "not sure"
UNLIKE = "unlike the training frames"


@dataclass(frozen=True)
class Calibration:
    """A rising map from the network's logit to a calibrated one, whose sigmoid is the probability.

    Attributes:
        method: How it was fitted.
        slope: Factor of the logit; 1 / temperature.
        intercept: Added after the factor.
        knots: For ``isotonic``: pairs of logit and calibrated logit, between which it is linear.
        low: Lower limit of the temperature, None where it has none.
        high: Its upper limit.
        chosen_on: The rows that it was fitted on, or why it was not, in words.
        n: Number of those rows.
        n_groups: Number of their groups.
    """

    method: Method = "none"
    slope: float = 1.0
    intercept: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    low: float | None = None
    high: float | None = None
    chosen_on: str = "not calibrated"
    n: int = 0
    n_groups: int = 0

    @property
    def temperature(self) -> float:
        """By what the logit is divided."""
        return 1 / self.slope

    def apply(self, logits: npt.ArrayLike) -> FloatArray:
        """Calibrated logits, same shape."""
        scores = np.asarray(logits, dtype=np.float64)
        if self.knots:
            before, after = np.array(self.knots).T
            return np.asarray(np.interp(scores, before, after), dtype=np.float64)
        return self.slope * scores + self.intercept

    @property
    def ramps(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The line through K knots as a sum, for graphs that know no tables: starts, widths and slopes, (K - 1,) each.

        The calibrated logit is that of the first knot, plus the sum of ``slope * clip(logit - start, 0, width)``.
        """
        before, after = np.array(self.knots).T
        widths = np.diff(before)
        return before[:-1], widths, np.diff(after) / widths


@dataclass(frozen=True)
class OperatingPoint:
    """From which probability a frame is called positive.

    Attributes:
        threshold: The calibrated probability, itself included.
        policy: How it was chosen.
        target: Sensitivity or specificity asked for; None with the other policies.
        low: Lower limit of the choice under resampled groups, None where there is none.
        high: Its upper limit.
        chosen_on: The rows that it was chosen on, in words.
        n: Number of those rows; 0 for a threshold set before training.
        n_groups: Number of their groups.
    """

    threshold: float = 0.5
    policy: PolicyName = "fixed"
    target: float | None = None
    low: float | None = None
    high: float | None = None
    chosen_on: str = "set before training"
    n: int = 0
    n_groups: int = 0


@dataclass(frozen=True)
class Abstention:
    """When the model says that it is not sure.

    Attributes:
        error: Share of frames of a new group that may be answered wrongly, on average; 0: it always answers.
        quantile: Largest misfit, 1 - sigmoid(logit of the class), at which a class is still possible; 1: any.
        guarantee: What is promised, and under which conditions, in words.
        chosen_on: The rows that it was chosen on, or why it was not, in words.
        n: Number of those rows.
        n_groups: Number of their groups.
    """

    error: float = 0.0
    quantile: float = 1.0
    guarantee: str = "none: every frame is answered"
    chosen_on: str = "not chosen"
    n: int = 0
    n_groups: int = 0

    def sure(self, logits: npt.ArrayLike, *, called: npt.ArrayLike) -> BoolArray:
        """Whether the class that a row is called, and no other, is possible.

        The misfit is that of the network's own logit: calibration could only stretch it, and what calibration chose on
        the same rows would spoil the guarantee.

        Args:
            logits: The network's logits of the positive class, shape (N,).
            called: True where the row is called positive, shape (N,).
        """
        scores, positive = np.asarray(logits, dtype=np.float64), np.asarray(called, dtype=bool)
        if not self.error:
            return np.ones(len(scores), dtype=np.bool_)
        own = np.where(positive, _sigmoid(-scores), _sigmoid(scores)) <= self.quantile
        other = np.where(positive, _sigmoid(scores), _sigmoid(-scores)) <= self.quantile
        return np.asarray(own & ~other, dtype=np.bool_)


@dataclass(frozen=True)
class Decision:
    """All that stands between a logit and an answer."""

    calibration: Calibration = field(default_factory=Calibration)
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    abstention: Abstention = field(default_factory=Abstention)

    def probability(self, logits: npt.ArrayLike) -> FloatArray:
        """Calibrated probability of the positive class, same shape."""
        return calibrated(logits, calibration=self.calibration)

    def called(self, logits: npt.ArrayLike) -> BoolArray:
        """True where a row is called positive, same shape."""
        return np.asarray(self.probability(logits) >= self.operating_point.threshold, dtype=np.bool_)

    def sure(self, logits: npt.ArrayLike) -> BoolArray:
        """True where the call is sure enough to be an answer, same shape."""
        return self.abstention.sure(logits, called=self.called(logits))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Decision:
        """The decision that `dataclasses.asdict` made this of.

        Raises:
            KeyError: An entry is missing.
            TypeError: An entry is not known.
        """
        described = dict(content["calibration"])
        described["knots"] = tuple((float(before), float(after)) for before, after in described.get("knots", ()))
        return cls(
            Calibration(**described),
            OperatingPoint(**content["operating_point"]),
            Abstention(**content["abstention"]),
        )


class Decided:
    """What carries a decision: a saved model, or the card of an exported one."""

    decision: Decision

    @property
    def calibration(self) -> Calibration:
        """How a logit becomes a probability."""
        return self.decision.calibration

    @property
    def operating_point(self) -> OperatingPoint:
        """From which probability a frame is called positive."""
        return self.decision.operating_point

    @property
    def abstention(self) -> Abstention:
        """When the model says that it is not sure."""
        return self.decision.abstention


def calibrated(logits: npt.ArrayLike, *, calibration: Calibration) -> FloatArray:
    """Probability of the positive class for logits, same shape."""
    return _sigmoid(calibration.apply(logits))


def answers_of(predicted: npt.ArrayLike, *, sure: BoolArray, unlike: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """What is said of rows: the class, or why none is named.

    Args:
        predicted: Name of the class that each row is called, shape (N,).
        sure: Whether the call is sure enough, shape (N,).
        unlike: How unlike the training frames, more than 1 is unlike, NaN where not known, shape (N,).
    """
    named = np.where(sure, np.asarray(predicted, dtype=str), NOT_SURE)
    return np.where(np.asarray(unlike, dtype=np.float64) > 1, UNLIKE, named)


def _sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z)), exact in both tails, without overflow; NaN stays NaN in silence."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)
