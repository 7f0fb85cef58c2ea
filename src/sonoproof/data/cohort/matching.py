"""Finding the file of each row of a sheet, with everything that a row says about it.

A reference finds its file by its text (`references`). What speaks against that file is a reason to set the row aside: a
link that leads to another file, a folder that is not this one, an image that is in the other folder as well.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sonoproof.data.folder.imagefolder import has_image_suffix
from sonoproof.data.folder.nearnames import pair_near_names
from sonoproof.data.folder.references import (
    ZEROS,
    FileIndex,
    Match,
    are_shown_as_named,
    match_reference,
    names_root,
    suggest_file,
)
from sonoproof.data.spreadsheets.visible import visible

# Each suggestion compares a reference with every file name.
MAX_SUGGESTIONS = 20
NEARLY = "nearly"


@dataclass(frozen=True)
class OtherFolder:
    """The other image folder of a run.

    Attributes:
        index: Its files.
        title: What it is called in a message.
        same_sheet: Whether one sheet labels both folders.
    """

    index: FileIndex
    title: str
    same_sheet: bool


def match_rows(
    rows: pd.DataFrame, index: FileIndex, *, near_names: bool, other: OtherFolder | None = None
) -> list[Match]:
    """Find the file of each row.

    Args:
        rows: Columns ``reference``, ``is_number``, ``shown``, ``lost_zeros``, ``link``.
        index: The files of the folder.
        near_names: Whether references that nearly name a file are used.
        other: The other folder of the run, whose files rows may name.
    """
    matches = _refuse_other_widths(_match_by_text(rows, index))
    matches = _refuse_other_roots(rows, matches, index)
    if other is not None:
        elsewhere = _match_by_text(rows, other.index)
        matches = [
            _against_other(match, there, reference, index, other)
            for match, there, reference in zip(matches, elsewhere, rows["reference"], strict=True)
        ]
    matches = _add_near_names(rows["reference"].tolist(), matches, index, take=near_names)
    return [
        _against_link(match, link, index) if link else match for match, link in zip(matches, rows["link"], strict=True)
    ]


def _match_by_text(rows: pd.DataFrame, index: FileIndex) -> list[Match]:
    numbers = rows[(rows["is_number"] | rows["lost_zeros"]) & (rows["shown"] != "")]
    pairs = set(zip(numbers["reference"], numbers["shown"], strict=True))
    trusted = are_shown_as_named(index, pairs)
    cells = list(zip(rows["reference"], rows["is_number"], rows["lost_zeros"], rows["shown"], strict=True))
    found = {
        (reference, is_number, lost_zeros, shown): match_reference(
            index, reference, is_number=bool(is_number), lost_zeros=bool(lost_zeros), shown=shown if trusted else ""
        )
        for reference, is_number, lost_zeros, shown in dict.fromkeys(cells)
    }
    return [found[cell] for cell in cells]


def _refuse_other_widths(matches: Sequence[Match]) -> list[Match]:
    """Of numbers that lost leading zeros, those whose file has more or fewer digits than the files of most others."""
    widths = Counter(_count_digits(match.file) for match in matches if match.how == ZEROS and match.file)
    usual = widths.most_common(2)
    if len(usual) < 2:
        return list(matches)
    width = usual[0][0] if usual[0][1] > usual[1][1] else None
    return [
        Match((match.file,), ZEROS, f"has other leading zeros than the files of the other numbers: {match.file!r}")
        if match.how == ZEROS and match.file and _count_digits(match.file) != width
        else match
        for match in matches
    ]


def _count_digits(file: str) -> int:
    return len(posixpath.splitext(posixpath.basename(file))[0])


def _refuse_other_roots(rows: pd.DataFrame, matches: Sequence[Match], index: FileIndex) -> list[Match]:
    """Of references with folders that are not in the image folder, some may name that folder; others name another."""
    is_outside = [match.file != "" and match.less_folders for match in matches]
    of_root = [
        outside and names_root(index, reference, match.file)
        for outside, reference, match in zip(is_outside, rows["reference"], matches, strict=True)
    ]
    if not any(of_root):
        return list(matches)
    problem = f"is in another folder than {index.root.name!r}, which other rows name"
    return [
        Match(problem=problem) if outside and not fits else match
        for match, outside, fits in zip(matches, is_outside, of_root, strict=True)
    ]


def _against_other(match: Match, elsewhere: Match, reference: str, index: FileIndex, other: OtherFolder) -> Match:
    """The match, if the row does not belong to the other folder, where it matches `elsewhere`."""
    if not elsewhere.files:
        return match
    if not match.files:
        return Match(problem=f"names an image of {other.title}")
    if not match.file:
        return match
    here = (not match.less_folders, names_root(index, reference, match.file))
    there = (not elsewhere.less_folders, names_root(other.index, reference, elsewhere.files[0]))
    if there > here:
        return Match(problem=f"names an image of {other.title}")
    if there == here and other.same_sheet:
        both = f"names an image here and one of {other.title}; write the name of its folder before it"
        return Match((match.file,), match.how, both)
    return match


def _against_link(match: Match, link: str, index: FileIndex) -> Match:
    """The match, unless the cell's link leads to another file."""
    # A link is relative to the sheet, and programs write its blanks as %20.
    path = re.sub(r"^(\.\.?/)+", "", urllib.parse.unquote(link.partition("#")[0]).replace("\\", "/"))
    if not path or not has_image_suffix(path):
        return match
    if not match.file:
        return dataclasses.replace(match, problem=f"{match.problem}; its link leads to: {link!r}")
    target = match_reference(index, path)
    if target.file == match.file or (not target.file and _end_alike(path, match.file)):
        return match
    problem = f"has a link to another file; remove the link or correct the name: {link!r}"
    return Match((match.file,), match.how, problem)


def _end_alike(first: str, second: str) -> bool:
    """Whether two paths have the same name and, where both have one, the same folder before it."""
    parts = [visible(path).casefold().split("/")[-2:] for path in (first, second)]
    parts = [[*folders, posixpath.splitext(name)[0]] for *folders, name in parts]
    return all(one == other for one, other in zip(reversed(parts[0]), reversed(parts[1]), strict=False))


def _add_near_names(
    references: Sequence[str], matches: Sequence[Match], index: FileIndex, *, take: bool
) -> list[Match]:
    """The matches, with a file that is nearly named, or with a suggestion, for the first references that have none."""
    unmatched = [at for at, match in enumerate(matches) if match.problem.startswith("matches no file")]
    pairs = pair_near_names(references, unmatched=[references[at] for at in unmatched], files=index.files)
    result = list(matches)
    suggested = 0
    for at in unmatched:
        near = pairs.get(references[at], "")
        if near and take:
            result[at] = Match((near,), NEARLY)
        elif near:
            problem = f"{matches[at].problem}, but nearly names one (take such names with --near-names): {near!r}"
            result[at] = Match(problem=problem)
        elif suggested < MAX_SUGGESTIONS:
            suggested += 1
            close = suggest_file(index, references[at])
            hint = f"; did you mean {close!r}?" if close else ""
            result[at] = Match(problem=matches[at].problem + hint)
    return result
