"""The rules that tell which files are not samples: litter of systems, our own output, and companions of frames.

A companion is left out only with evidence: the frame that it belongs to is there. A sheet that names a companion gets
it. docs/data.md shows the rules as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a file or folder is, if it is not a sample; the value is what the output calls it."""

    HIDDEN = "hidden"
    SYSTEM = "of the system"
    OWN_OUTPUT = "output of Sonoproof"
    MASK = "masks"
    OVERLAY = "overlays and annotated copies"
    THUMBNAIL = "thumbnails and previews"


@dataclass(frozen=True)
class FileRule:
    """What is left out.

    Attributes:
        kind: What it is.
        names: The names, as the documentation shows them.
        evidence: What else must hold.
        pattern: Matches the name, folded; of companions the name without its suffix, in which the group ``frame`` or
            ``frame_after`` is the name of the frame.
    """

    kind: Kind
    names: str
    evidence: str
    pattern: str


_MASK_WORDS = (
    "masks?|seg|segm|segmentations?|segmented|gt|ground[ _-]?truth|labels?|labelmap|annotations?|contours?|outline|roi"
    "|tumou?r|lesion|mass|nodule|other"
)
_OVERLAY_WORDS = "overlay|overlaid|annotated|marked|heat ?map|grad[ _-]?cam|cam"
_SMALL_WORDS = "thumb|thumbs|thumbnail|preview|small"
_THERE = "the frame `x` is there"


def _after(words: str) -> str:
    return rf"(?P<frame>.+?)[ ._-]+(?:{words})(?:[ ._-]?\d+)?"


def _before(words: str) -> str:
    return rf"(?:{words})[ ._-]+(?P<frame_after>.+)"


FOLDER_RULES: Final = (
    FileRule(Kind.HIDDEN, "`.thumbnails/`, `.Trash-1000/`, `.git/`, …", "the name begins with a dot", r"\..*"),
    FileRule(
        Kind.SYSTEM,
        "`@eaDir/`, `#recycle/`, `#snapshot/`, `$RECYCLE.BIN/`, `RECYCLER/`, `System Volume Information/`, "
        "`lost+found/`, `__MACOSX/`, `@Recycle/`, `Network Trash Folder/`, …",
        "the name is one that a system gives",
        r"@eadir|#recycle|#snapshot|\$recycle\.bin|recycler|system volume information|lost\+found|__macosx|@recycle"
        r"|@recently-snapshot|\.?@__thumb|network trash folder|temporary items",
    ),
    FileRule(Kind.OWN_OUTPUT, "`run/`", "it holds the `manifest.json` of a run of Sonoproof", r"(?!)"),
)
"""Folders that are not searched."""

LITTER_RULES: Final = (
    FileRule(Kind.HIDDEN, "`._x.jpg`, `.x.jpg`", "the name begins with a dot", r"\..*"),
    FileRule(
        Kind.SYSTEM,
        "`SYNOPHOTO_THUMB_M.jpg`, `Thumbs.db`, `DICOMDIR`",
        "the name is one that a system gives",
        r"syno(?:photo|file)_thumb.*|(?:eh)?thumbs(?:_vista)?\.db|desktop\.ini|dicomdir",
    ),
)
"""Files that are left out for their names."""

COMPANION_RULES: Final = (
    FileRule(
        Kind.MASK,
        "`x_mask.png`, `x_mask_1.png`, `mask_x.png`, `x_seg.png`, `x_gt.png`, `x_label.png`, `x_tumor.png`, …",
        f"{_THERE}, and they have few grey levels",
        f"{_after(_MASK_WORDS)}|{_before('mask|seg|gt|label')}",
    ),
    FileRule(Kind.OVERLAY, "`x_overlay.png`, `x_annotated.png`, `x_heatmap.png`, …", _THERE, _after(_OVERLAY_WORDS)),
    FileRule(
        Kind.THUMBNAIL,
        "`x_thumb.jpg`, `thumb_x.jpg`, `x.preview.jpg`, …",
        _THERE,
        f"{_after(_SMALL_WORDS)}|{_before('thumb|thumbnail|preview')}",
    ),
)
"""Files that belong to a frame."""

MASK_FOLDER_RULE: Final = FileRule(
    Kind.MASK,
    "`masks/x.png`, `labels/x.png`, `segmentations/a/x_mask.png`, …",
    f"{_THERE} in another folder, and they have few grey levels",
    rf"(?:{_MASK_WORDS})(?:[ ._-].*)?",
)
"""Folders whose files belong to frames in another folder."""

FILE_RULES: Final = (*FOLDER_RULES, *LITTER_RULES, *COMPANION_RULES, MASK_FOLDER_RULE)


def find_rule(rules: Iterable[FileRule], name: str) -> FileRule | None:
    """The first rule that a name follows; None if there is none."""
    return next((rule for rule in rules if re.fullmatch(rule.pattern, name.casefold())), None)


def frame_of(rule: FileRule, stem: str) -> str:
    """The name of the frame that a companion's name contains, folded; "" if it does not follow the rule."""
    match = re.fullmatch(rule.pattern, stem.casefold())
    found = match.groupdict() if match else {}
    return found.get("frame") or found.get("frame_after") or ""
