"""Text from outside, and numbers, as they are shown on a page.

A label sheet may hold anything. HTML escaping (jinja2's autoescape) keeps its text from becoming markup; what is
left, and is dealt with here, are characters that a reader cannot see but that change what the page seems to say:
control characters, marks that reverse the direction of writing, zero-width joiners.

References:
    Boucher, N., Anderson, R. (2021). Trojan Source: Invisible Vulnerabilities (bidirectional control characters).
"""

from __future__ import annotations

import math
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

UNDEFINED = "undefined"
LONGEST = 600
# Control, format (among them the bidirectional marks), surrogate, private, unassigned; line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible_text(text: str, *, longest: int = LONGEST) -> str:
    """Return the text with every invisible character written as its code point, cut where it is endless.

    Args:
        text: Any text.
        longest: Characters kept; of a longer text, the number of characters left out follows.

    Returns:
        Text without control characters, for example ``"a⟨U+202E⟩b"``.
    """
    kept = "".join(_visible(character) for character in text[:longest])
    left_out = len(text) - longest
    return f"{kept} … ({left_out:,} more characters)" if left_out > 0 else kept


def _visible(character: str) -> str:
    if unicodedata.category(character) in _INVISIBLE:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def format_number(value: float | None, *, decimals: int = 3) -> str:
    """A number with a fixed number of decimals; None and NaN are ``"undefined"``."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return f"{value:.{decimals}f}"


def format_count(value: float | None) -> str:
    """A whole number with thousands separators; None is ``"undefined"``."""
    return UNDEFINED if value is None else f"{round(value):,}"


def format_share(part: float, whole: float) -> str:
    """A share in per cent: ``"12%"``; a share of nothing is a dash."""
    return f"{100 * part / whole:.0f}%" if whole else "–"


def relative_href(path: str) -> str | None:
    """A path inside the run as the target of a link, or None where it leads out of the run.

    Args:
        path: POSIX path relative to the run folder.

    Returns:
        The percent-encoded path, so that neither a scheme (``javascript:``) nor a query can be read into a file name.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        return None
    return quote(PurePosixPath(path).as_posix(), safe="/")
