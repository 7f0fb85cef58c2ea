"""The known duplicates of a real data set are found."""

from __future__ import annotations

import pandas as pd
import pytest
from tests.support.shared import SHARED, needs

from sonoproof.config import FramesConfig
from sonoproof.data.frames.one_pass import read_frames

TRAIN = SHARED / "pcosgen/train"


@pytest.mark.shared
@pytest.mark.slow
@needs("pcosgen/train")
def test_the_repeated_frames_of_pcosgen_and_their_opposite_labels_are_found() -> None:
    sheet = pd.read_excel(TRAIN / "class_label.xlsx", engine="calamine", dtype={"imagePath": str})
    records = pd.DataFrame(
        {
            "image_id": sheet["imagePath"],
            "path": [str(TRAIN / "images" / name) for name in sheet["imagePath"]],
            "label": sheet["Healthy"],
        }
    )
    read = read_frames(records, config=FramesConfig())
    assert (len(read.records), len(read.quarantine)) == (3200, 0)
    frames = read.records.groupby("pixel_sha256")["label"]
    assert frames.size().value_counts().to_dict() == {1: 3040, 2: 80}
    assert (frames.nunique() > 1).sum() == 32
