"""What the measures return: numbers with their intervals, as a table, as text and for a notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import escape

from sonoproof.config import EvaluateConfig
from sonoproof.evaluation.intervals.intervals import Interval
from sonoproof.evaluation.measures.compare import Comparison
from sonoproof.evaluation.scores.given import GivenLabels
from sonoproof.reporting.terminal.comparison import difference_lines
from sonoproof.reporting.terminal.summary import aligned
from sonoproof.reporting.wording.tables import metric_label, metrics_rows
from sonoproof.reporting.wording.text import visible_text
from sonoproof.wording import counted


@dataclass(frozen=True, repr=False)
class _Measured:
    """Intervals by name, of labelled rows.

    Attributes:
        intervals: Name to value and limits; what is undefined is NaN, and its ``reason`` says why.
        given: The labels and what was resampled.
        config: Threshold, level, resamples and seed.
    """

    intervals: Mapping[str, Interval]
    _: dataclasses.KW_ONLY
    given: GivenLabels
    config: EvaluateConfig

    def __getitem__(self, name: str) -> Interval:
        """One measure, with ``value``, ``low``, ``high`` and ``reason``."""
        return self.intervals[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.intervals)

    def __len__(self) -> int:
        return len(self.intervals)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.given.targets)

    @property
    def n_positive(self) -> int:
        """Number of rows of the positive class."""
        return int(self.given.targets.sum())

    @property
    def n_units(self) -> int:
        """Number of groups, or of rows if no groups were given."""
        return len(np.unique(self.given.units))

    @property
    def positive_class(self) -> str:
        """The class that every number refers to."""
        return self.given.classes.positive

    @property
    def table(self) -> pd.DataFrame:
        """One row per measure: ``metric``, ``label``, ``value``, ``low``, ``high``, ``reason``."""
        rows = [
            {"metric": name, "label": metric_label(name), **dataclasses.asdict(found)}
            for name, found in self.intervals.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as in the evaluation files of a run; None for what is undefined."""
        return {
            "n": self.n,
            "n_positive": self.n_positive,
            "positive_class": self.given.classes.positive,
            "negative_class": self.given.classes.negative,
            "unit": self.given.unit,
            "n_units": self.n_units,
            "confidence": self.config.confidence,
            "resamples": self.config.resamples,
            "seed": self.config.effective_seed,
            **{name: found.to_dict() for name, found in self.intervals.items()},
            "undefined": {name: found.reason for name, found in self.intervals.items() if found.reason},
        }

    def __repr__(self) -> str:
        return "\n".join([*self._heading(), "", *aligned(metrics_rows(self.to_dict())), *self._end()])

    def _repr_html_(self) -> str:
        heading = "".join(f"<p>{escape(line)}</p>" for line in self._heading())
        rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in metrics_rows(self.to_dict()))
        end = "".join(f"<p>{escape(line)}</p>" for line in self._end() if line)
        return f"{heading}<table>{rows}</table>{end}"

    def _heading(self) -> list[str]:
        positive = visible_text(self.positive_class)
        resampled = f"{counted(self.n_units, self.given.unit)} resampled"
        return [
            f"positive class: {positive}; {self.config.confidence:.0%} confidence intervals in brackets",
            f"{counted(self.n, 'row')}, {self.n_positive:,} of them positive, {resampled}",
        ]

    def _end(self) -> list[str]:
        return []


@dataclass(frozen=True, repr=False)
class Metrics(_Measured):
    """Metrics of the positive class with their intervals.

    Attributes:
        confusion: The counts ``tp``, ``fp``, ``tn``, ``fn`` at the threshold.
        notes: What a reader must know before believing the numbers, one sentence each.
    """

    _: dataclasses.KW_ONLY
    confusion: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def threshold(self) -> float:
        """Probability at or above which a row is predicted positive."""
        return self.config.threshold

    def to_dict(self) -> dict[str, Any]:
        """Everything as in the evaluation files of a run; None for what is undefined."""
        further = {"threshold": self.threshold, "confusion": dict(self.confusion), "notes": list(self.notes)}
        return {**super().to_dict(), **further}

    def _heading(self) -> list[str]:
        counts = "  ".join(f"{name} {count:,}" for name, count in self.confusion.items())
        return [*super()._heading(), f"threshold {self.threshold:g}: {counts}"]

    def _end(self) -> list[str]:
        return ["", *(f"warning: {note}" for note in self.notes)] if self.notes else []


@dataclass(frozen=True, repr=False)
class Calibration(_Measured):
    """How well probabilities are calibrated.

    A slope of 1 and an intercept of 0 are perfect; a slope below 1 means overconfident.

    Attributes:
        bins: The reliability diagram: ``edges``, and for each bin ``n``, ``mean_probability`` and ``share_positive``.
    """

    _: dataclasses.KW_ONLY
    bins: Mapping[str, list[Any]]

    @property
    def reliability(self) -> pd.DataFrame:
        """One row per bin: ``low``, ``high``, ``n``, ``mean_probability``, ``share_positive``."""
        edges = self.bins["edges"]
        columns = {name: self.bins[name] for name in ("n", "mean_probability", "share_positive")}
        return pd.DataFrame({"low": edges[:-1], "high": edges[1:], **columns})


class Differences:
    """How two models differ on the same rows, first minus second.

    Args:
        found: The comparison.
        config: Its level and resamples.
    """

    def __init__(self, found: Comparison, *, config: EvaluateConfig) -> None:
        self.found = found
        self._config = config

    @property
    def table(self) -> pd.DataFrame:
        """One row per metric: ``metric``, ``label``, ``difference``, ``low``, ``high``, ``p``, ``reason``."""
        return pd.DataFrame(
            [
                {"metric": one.metric, "label": metric_label(one.metric), **dataclasses.asdict(one.test)}
                for one in self.found.differences
            ]
        )

    def __repr__(self) -> str:
        return "\n".join(difference_lines(self.found, title="a minus b", config=self._config))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
