"""File names that number the frames of clips or patients, where no column of the sheet keeps these together."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.wording import of_rows

MIN_SERIES: Final = 5
MAX_SHARE: Final = 0.5
MIN_COVER: Final = 0.5
MIN_LINKS: Final = 20
LINKS_WITHIN: Final = 0.8

# What precedes the last number of a name: "p07_clip2_frame" of "p07_clip2_frame0013", "scan" of "scan (4)".
_LAST_NUMBER: Final = re.compile(
    r"[\s_.\-(\[]*(?:frame|image|img|slice|(?<![a-z])(?:fr|f|no|nr|n))?[\s_.\-(\[]*\d+[)\]]?$", re.IGNORECASE
)


def series_of(image_id: str) -> str:
    """The folder and the name of a frame without its last number; "" where a number is all there is."""
    path = PurePosixPath(image_id)
    stem = _LAST_NUMBER.sub("", path.stem)
    return f"{path.parent}/{stem}" if stem else ""


def find_name_series(material: Material) -> list[Finding]:
    """Names that look like numbered frames of clips or patients: nothing keeps them together unless a column says so.

    Silent where the sheet has group columns, where the series are few or one holds most of the rows (then the name says
    something else, such as the class), and where look-alike frames mostly join different series.
    """
    if material.group_columns:
        return []
    image_ids = material.sheet_records["image_id"]
    series = image_ids.map(series_of)
    sizes = series[series != ""].value_counts()
    sizes = sizes[sizes > 1]
    covered = int(sizes.sum())
    if len(sizes) < MIN_SERIES or covered < MIN_COVER * len(series) or sizes.iloc[0] > MAX_SHARE * len(series):
        return []
    within, links = _links_within(material, dict(zip(image_ids, series, strict=True)))
    if links >= MIN_LINKS and within < LINKS_WITHIN * links:
        return []
    example = PurePosixPath(str(sizes.index[0])).name
    seen = f" {within:,} of {links:,} look-alike pairs are within one series." if links else ""
    detail = (
        f"{of_rows(covered, len(series))} have names that number the frames of {len(sizes):,} series (such as "
        f"{example!r}, {int(sizes.iloc[0]):,} frames).{seen} If a series is a clip or a patient, its frames may "
        "end up on both sides of the split where they do not look alike. Add a column that names the clip or the "
        "patient."
    )
    numbers = {"rows": covered, "series": len(sizes), "links": links, "links_within": within}
    return [Finding("name-series", Level.WARNING, "File names look like numbered frames of clips", detail, numbers)]


def _links_within(material: Material, series: dict[str, str]) -> tuple[int, int]:
    """Look-alike links between frames of the sheet that stay in one series, and all of them."""
    found = material.lookalikes.links if material.lookalikes is not None else ()
    pairs = [(series[link.first], series[link.second]) for link in found if {link.first, link.second} <= series.keys()]
    return sum(one == other for one, other in pairs), len(pairs)
