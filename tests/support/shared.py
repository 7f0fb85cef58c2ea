"""Where the repository lies, and the real frames beside it that are not part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def needs(name: str) -> pytest.MarkDecorator:
    """Skips where a file or folder of the real frames is absent."""
    return pytest.mark.skipif(not (SHARED / name).exists(), reason=f"../shared/data/{name} is not on this machine")
