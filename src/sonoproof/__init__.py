"""Sonoproof: a label sheet and a folder of ultrasound frames go in; a classifier that can be defended comes out.

`import sonoproof as sp` loads nothing but this file; a name of `__all__` is imported when it is first used.
Type checkers read the names from ``__init__.pyi``.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

_NAMES = {
    "sonoproof.api.classifier": ("Classifier", "load"),
    "sonoproof.api.cohorts": ("GroupedSplit", "read_cohort", "simulate", "split"),
    "sonoproof.api.runs": ("Run", "audit", "run"),
    "sonoproof.api.measuring": ("calibration", "compare", "metrics"),
    "sonoproof.errors": (
        "AuditBlocked", "BundleError", "CohortError", "ConfigError", "FrameError", "LeakageError", "MissingExtra",
        "RunFolderError", "ScoreError", "SheetError", "SonoproofError",
    ),
}  # fmt: skip
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
