"""From a logit to an answer: the calibrated probability, the predicted class, and whether the model is sure of it.

Nothing is chosen here: these are the choices of `sonoproof.evaluation.choosing` as they are saved with the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from sonoproof.types import BoolArray, FloatArray, Json

Method = Literal["none", "temperature", "platt", "isotonic"]
PolicyName = Literal["fixed", "youden", "sensitivity", "specificity", "cost"]

# The answers that name no class.
NOT_SURE = "not sure"
UNLIKE = "unlike the training frames"


@dataclass(frozen=True)
class Calibration:
    """A rising map from the network's logit to a calibrated one, whose sigmoid is the probability.

    Attributes:
        method: How it was fitted.
        slope: Factor of the logit; 1 / temperature.
        intercept: Added after the factor.
        knots: For ``isotonic``: pairs of logit and calibrated logit, with straight lines between them.
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
        """What the logit is divided by."""
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
        """The line through K knots as a sum, for graphs without tables: starts, widths and slopes, (K - 1,) each.

        The calibrated logit is that of the first knot, plus the sum of ``slope * clip(logit - start, 0, width)``.
        """
        before, after = np.array(self.knots).T
        widths = np.diff(before)
        return before[:-1], widths, np.diff(after) / widths


@dataclass(frozen=True)
class OperatingPoint:
    """The probability from which a frame is predicted positive.

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
    """When the model answers that it is not sure.

    Attributes:
        error: Share of frames of a new group that may be answered wrongly, on average; 0: it always answers.
        quantile: Largest nonconformity score, 1 - sigmoid(logit of the class), at which a class is still possible;
            1: any.
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

    def sure(self, logits: npt.ArrayLike, *, predicted: npt.ArrayLike) -> BoolArray:
        """Whether the predicted class of each row is possible and the other is not.

        The nonconformity score is that of the network's own logit: calibration could only stretch it, and what was
        fitted on the same rows would break the guarantee.

        Args:
            logits: The network's logits of the positive class, shape (N,).
            predicted: True where the row is predicted positive, shape (N,).
        """
        scores, positive = np.asarray(logits, dtype=np.float64), np.asarray(predicted, dtype=bool)
        if not self.error:
            return np.ones(len(scores), dtype=np.bool_)
        own = np.where(positive, _sigmoid(-scores), _sigmoid(scores)) <= self.quantile
        other = np.where(positive, _sigmoid(scores), _sigmoid(-scores)) <= self.quantile
        return np.asarray(own & ~other, dtype=np.bool_)


@dataclass(frozen=True)
class Decision:
    """Everything between a logit and an answer."""

    calibration: Calibration = field(default_factory=Calibration)
    operating_point: OperatingPoint = field(default_factory=OperatingPoint)
    abstention: Abstention = field(default_factory=Abstention)

    def probability(self, logits: npt.ArrayLike) -> FloatArray:
        """Calibrated probability of the positive class, same shape."""
        return _sigmoid(self.calibration.apply(logits))

    def predicts_positive(self, logits: npt.ArrayLike) -> BoolArray:
        """True where a row is predicted positive, same shape."""
        return np.asarray(self.probability(logits) >= self.operating_point.threshold, dtype=np.bool_)

    def sure(self, logits: npt.ArrayLike) -> BoolArray:
        """True where the model is sure enough of the predicted class to answer with it, same shape."""
        return self.abstention.sure(logits, predicted=self.predicts_positive(logits))

    @classmethod
    def from_dict(cls, content: Json) -> Self:
        """The decision that `dataclasses.asdict` turned into this.

        Raises:
            KeyError: An entry is missing.
            TypeError: An entry is not known.
        """
        described = dict(content["calibration"])
        described["knots"] = tuple((float(before), float(after)) for before, after in described.get("knots", ()))
        return cls(
            Calibration(**described), OperatingPoint(**content["operating_point"]), Abstention(**content["abstention"])
        )


def _sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z)), exact in both tails, without overflow; NaN stays NaN without a warning.

    Not ``scipy.special.expit``, which differs in the last bit, and which takes longer to import than an exported model
    takes to answer.
    """
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)
