"""On real frames, where they are: no clip is joined to another, no cohort melts, the crops of one frame are found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from tests.support.search import search_files
from tests.support.shared import SHARED, needs

from sonoproof.data.lookalike import LookalikeResult

pytestmark = [pytest.mark.shared, pytest.mark.slow, needs("lung"), needs("pcosgen/train")]


def search(folder: Path, names: list[str], work: Path) -> LookalikeResult:
    return search_files(pd.DataFrame({"image_id": names, "path": [str(folder / name) for name in names]}), work)


def test_lung_links_stay_within_clips(tmp_path: Path) -> None:
    sheet = pd.read_excel(SHARED / "lung" / "labels.xlsx", engine="calamine", dtype=str)
    clip = dict(zip(sheet["imagePath"], sheet["video"], strict=True))
    names = [name for name in sorted(clip) if clip[name] in sorted(set(clip.values()))[::3]]
    result = search(SHARED / "lung" / "images", names, tmp_path)
    assert [link for link in result.links if clip[link.first] != clip[link.second]] == []
    assert sum(not link.identical for link in result.links) >= 12


def test_repeated_frames_are_found_and_nothing_melts(tmp_path: Path) -> None:
    folder = SHARED / "pcosgen" / "train" / "images"
    names = sorted(path.name for path in folder.iterdir())[::20]
    result = search(folder, names, tmp_path)
    sizes = [size for _, size in Counter(result.source.values()).most_common()]
    assert sizes[0] < 0.3 * len(names)
    assert sum(size >= 4 for size in sizes[:7]) == 7
    assert not any(link.flipped for link in result.links)
