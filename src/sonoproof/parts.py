"""The parts of a cohort, and of its predictions."""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """A part, as it is written in ``split.csv`` and in the names of the run's files.

    ``fit`` is learned from; ``val`` and ``test`` are reported on. ``oof`` are the out-of-fold predictions of
    cross-validation, ``test_without_twins`` the test rows that have no look-alike in the sheet: parts of the
    predictions, not of the split.
    """

    FIT = "fit"
    VAL = "val"
    TEST = "test"
    TEST_WITHOUT_TWINS = "test_without_twins"
    OOF = "oof"

    @property
    def title(self) -> str:  # type: ignore[override]  # str.title() is of no use for a part
        """The part's name in the report."""
        return _TITLES[self]


_TITLES = {
    Part.FIT: "Fit",
    Part.VAL: "Validation",
    Part.TEST: "Test",
    Part.TEST_WITHOUT_TWINS: "Test without twins",
    Part.OOF: "Out of fold",
}

REPORTED = (Part.VAL, Part.TEST)
"""The parts that the saved model is reported on."""
