"""The known duplicates of a real data set are found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sonoproof.config import FramesConfig
from sonoproof.data.frames.facts import read_frames_facts

TRAIN = Path(__file__).parents[5] / "shared/data/pcosgen/train"


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not TRAIN.exists(), reason="needs ../shared/data/pcosgen/train")
def test_the_repeated_frames_of_pcosgen_and_their_opposite_labels_are_found() -> None:
    sheet = pd.read_excel(TRAIN / "class_label.xlsx", engine="calamine", dtype={"imagePath": str})
    records = pd.DataFrame(
        {
            "image_id": sheet["imagePath"],
            "path": [str(TRAIN / "images" / name) for name in sheet["imagePath"]],
            "label": sheet["Healthy"],
        }
    )
    usable, quarantine = read_frames_facts(records, config=FramesConfig())
    assert (len(usable), len(quarantine)) == (3200, 0)
    frames = usable.groupby("pixel_sha256")["label"]
    assert frames.size().value_counts().to_dict() == {1: 3040, 2: 80}
    assert (frames.nunique() > 1).sum() == 32
