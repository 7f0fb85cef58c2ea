"""The ``image_id``, the only key by which tables are joined.

It is the path of the image relative to its folder; images of a test folder have `TEST_PREFIX` before it, because the
two folders may hold files of the same name.
"""

from __future__ import annotations

TEST_PREFIX = "test:"


def relative_file(image_id: str) -> str:
    """Path of the image relative to its folder."""
    return image_id.removeprefix(TEST_PREFIX)
