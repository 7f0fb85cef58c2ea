"""Names for the types that every package uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Json = Mapping[str, Any]
"""The content of a JSON file."""

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.intp]
StrArray = npt.NDArray[np.str_]
UInt8Array = npt.NDArray[np.uint8]
"""Pixels: a frame (height, width, 3) or frames (N, height, width, 3)."""

LoadFrames = Callable[[Sequence[str]], UInt8Array]
"""Gives the frames of image ids as the network sees them: (N, height, width, 3)."""

LoadMask = Callable[[str], BoolArray | None]
"""Gives the truth mask of an image id, (height, width), or None where it has none."""
