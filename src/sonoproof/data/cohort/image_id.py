"""The ``image_id``, the only key by which tables are joined.

It is the path of the image relative to its folder; images of a test folder have `TEST_PREFIX` before it, because the
two folders may hold files of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

TEST_PREFIX = "test:"


def relative_file(image_id: str) -> str:
    """Path of the image relative to its folder."""
    return image_id.removeprefix(TEST_PREFIX)


def located(records: pd.DataFrame, *, folders: Mapping[str, Path]) -> pd.DataFrame:
    """The records with the path that each image has in the folders where the images are now.

    Args:
        records: Rows with ``image_id``, ``path`` and ``origin``.
        folders: Folder by origin; the paths of another origin stay.
    """
    paths = [
        str(folders[origin].absolute() / relative_file(image_id)) if origin in folders else path
        for image_id, path, origin in zip(records["image_id"], records["path"], records["origin"], strict=True)
    ]
    return records.assign(path=paths)
