"""Sonoproof: a label sheet and a folder of ultrasound frames go in; a classifier that can be defended comes out.

`import sonoproof as sp` loads nothing but this file; a name of `__all__` is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonoproof.api.measuring import calibration as calibration
    from sonoproof.api.measuring import compare as compare
    from sonoproof.api.measuring import metrics as metrics
    from sonoproof.errors import AuditBlocked as AuditBlocked
    from sonoproof.errors import BundleError as BundleError
    from sonoproof.errors import CohortError as CohortError
    from sonoproof.errors import ConfigError as ConfigError
    from sonoproof.errors import FrameError as FrameError
    from sonoproof.errors import LeakageError as LeakageError
    from sonoproof.errors import MissingExtra as MissingExtra
    from sonoproof.errors import RunFolderError as RunFolderError
    from sonoproof.errors import ScoreError as ScoreError
    from sonoproof.errors import SheetError as SheetError
    from sonoproof.errors import SonoproofError as SonoproofError

__version__ = "0.2.0"

_NAMES = {
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
