"""How many of the 16 bits of a sample are used: one depth for all frames of a cohort, never a frame's own.

Scanners write data of 8, 10, 12 or 14 bits into 16-bit files. Scaled by the 16 bits, tissue would be black; scaled by
the brightest sample of each frame, one pixel of an overlay would decide how bright the tissue is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sonoproof.types import UInt8Array

DEPTHS: Final = (8, 10, 12, 14, 16)
OVERLAY_SHARE: Final = 0.05
"""Share of a frame's samples that may be above the white of its cohort: overlays, which are drawn in any white."""

DARK_BITS: Final = 4
"""A frame that needs so many bits less than the cohort has would be almost black."""

_WHITE: Final = 65535
_BRIGHTEST_SHARE: Final = 0.001
_HELD_SHARE: Final = 0.95
_DARK_SHARE: Final = 0.1


@dataclass(frozen=True)
class Depth:
    """The depth of a cohort.

    Attributes:
        bits: Bits in use, one of `DEPTHS`; 8 where no frame has samples of 16 bits.
        agreed: Whether the frames have one depth; if not, `bits` is a guess.
        needs: How many of the 16-bit frames need how many bits.
    """

    bits: int
    agreed: bool
    needs: Mapping[int, int]


def needed_bits(samples: npt.NDArray[np.uint16]) -> int:
    """The smallest depth that holds a frame: all but its brightest thousandth, and but the white of 16 bits.

    Args:
        samples: Any shape.
    """
    counts = np.bincount(samples.ravel(), minlength=_WHITE + 1)
    counts[_WHITE] = 0  # overlays are drawn in it; a frame of 16 bits has samples just below
    above = counts[::-1].cumsum()[::-1]  # how many samples are as bright or brighter
    most = _BRIGHTEST_SHARE * samples.size
    return next(bits for bits in DEPTHS if bits == DEPTHS[-1] or above[2**bits] <= most)


def agree_on_depth(needs: Sequence[int]) -> Depth:
    """The depth of a cohort: the smallest that holds nearly all of its frames.

    Args:
        needs: `needed_bits` of each 16-bit frame.
    """
    if not needs:
        return Depth(8, agreed=True, needs={})
    bits = next(bits for bits in DEPTHS if sum(need <= bits for need in needs) >= _HELD_SHARE * len(needs))
    dark = sum(need <= bits - DARK_BITS for need in needs)
    return Depth(bits, agreed=dark <= _DARK_SHARE * len(needs), needs=dict(sorted(Counter(needs).items())))


def share_above(samples: npt.NDArray[np.uint16], *, bits: int) -> float:
    """Share of the samples above the white of a depth."""
    return float((samples > 2**bits - 1).mean()) if samples.size else 0.0


def to_eight_bits(samples: npt.NDArray[np.uint16], *, white: int) -> UInt8Array:
    """Scale samples linearly, so that `white` becomes 255; brighter ones do too."""
    scaled: UInt8Array = np.rint(np.minimum(samples, white) * (255.0 / white)).astype(np.uint8)
    return scaled


def own_white(samples: npt.NDArray[np.uint16]) -> int:
    """The white of a file by its own brightest sample, as versions before 0.2.0 took it."""
    largest = int(samples.max(initial=0))
    return next(2**bits - 1 for bits in (8, 12, 16) if largest < 2**bits)
