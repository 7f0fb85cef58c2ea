"""Matching what a sheet writes about images to the files of a folder.

A reference and a file belong together if the file's path ends in the reference or, failing that, the reference ends
in the file's path. They are compared first as written, then ignoring case, then ignoring the suffix, and last, for
cells that hold a number, ignoring leading zeros; Unicode forms and invisible characters never matter. The first of
these steps that finds files decides: one file is the match, several are ambiguous. A number that several file names are
equal to (7 and ``7.jpg``, ``007.jpg``; 1.1 and ``1.1.jpg``, ``1.10.jpg``) is ambiguous too, unless the cell shows one.
Nothing outside the folder is ever matched, whatever a reference or a link says.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import unicodedata
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sonoproof.data.folder.companions import LeftOut
from sonoproof.data.folder.imagefolder import IMAGE_SUFFIXES, is_valid_text, printable_name, search_folder
from sonoproof.data.folder.severalnames import USE_ROWS, find_several
from sonoproof.data.spreadsheets.visible import clean_text, visible
from sonoproof.errors import CohortError

# As many as a person can read.
NAMED_FILES = 5
SUGGESTION_POOL = 50_000
URL_START = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
LINK_LEADS_OUT = "is a link that leads out of the image folder or nowhere; copy the image into the folder"
DRIVE_START = re.compile(r"^[a-zA-Z]:")
EXACT, CASE, SUFFIX, ZEROS = "as written", "ignoring case", "ignoring the suffix", "ignoring leading zeros"
EQUAL, SHOWN = "as a number", "as the cell shows it"
SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.ASCII)
NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class FileIndex:
    """The image files of a folder.

    Attributes:
        root: The folder, absolute.
        files: Path of every image relative to the folder, POSIX, sorted.
        escaping: Links that lead out of the folder or nowhere, relative to it.
        unwritable: Files whose name is not valid text and cannot be written to a table.
        others: Files that are not images.
        left_out: Images, and folders with images, that are not samples; one that a reference names is its match.
        linked_folders: Links to folders, which are not followed.
        endings: For each way of comparing, the files by ending: the whole path with a / before it, or its last parts.
        companions: The same for the masks and other companions of frames among `left_out`.
    """

    root: Path
    files: tuple[str, ...]
    escaping: frozenset[str] = frozenset()
    unwritable: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    linked_folders: tuple[str, ...] = ()
    endings: dict[str, dict[str, list[str]]] = field(default_factory=dict, repr=False)
    left_out: tuple[LeftOut, ...] = ()
    companions: dict[str, dict[str, list[str]]] = field(default_factory=dict, repr=False)

    def holds(self, reference: str) -> bool:
        """Whether a reference names at least one file that is not a companion of a frame."""
        companions = self.companions.get(EXACT, {})
        return any(f"/{_comparable(file, EXACT)}" not in companions for file in match_reference(self, reference).files)

    def names_file(self, name: str) -> bool:
        """Whether a file is, or its path ends in, a name, with its suffix or without; case makes no difference."""
        path = name.replace("\\", "/").removeprefix("./")
        return bool(path) and any(_find_by_ending(self.endings[how], _comparable(path, how)) for how in (CASE, SUFFIX))


@dataclass(frozen=True)
class Match:
    r"""What a reference leads to.

    Attributes:
        files: Files found, relative to the folder; exactly one is a match.
        how: How reference and file were compared.
        problem: Why there is no match, "" if there is one.
        less_folders: Whether leading folders of the reference were ignored (``C:\study\a.jpg`` for a.jpg).
    """

    files: tuple[str, ...] = ()
    how: str = ""
    problem: str = ""
    less_folders: bool = False

    @property
    def file(self) -> str:
        """The one file, or "" if there is none or more than one."""
        return self.files[0] if len(self.files) == 1 and not self.problem else ""


def index_images(images: Path) -> FileIndex:
    """List the image files of a folder and its subfolders.

    Links to folders are not followed; companions of frames and litter of systems are left out.

    Raises:
        CohortError: The folder is missing or not a folder, or it or a subfolder may not be read.
    """
    root = images.absolute()
    if not root.is_dir():
        raise CohortError(f"{images}: {'is not a folder' if root.exists() else 'there is no such image folder'}")
    contents = search_folder(root)
    left_out = tuple(item for item in contents.left_out if is_valid_text(item.path))
    companions = [item.path for item in left_out if item.frame and not _leads_out(root, item.path)]
    valid = [name for name in contents.images if is_valid_text(name)]
    escaping = frozenset(name for name in valid if _leads_out(root, name))
    files = tuple(name for name in valid if name not in escaping)
    return FileIndex(
        root,
        files,
        escaping,
        unwritable=tuple(sorted(printable_name(name) for name in contents.images if not is_valid_text(name))),
        others=frozenset(contents.others),
        linked_folders=contents.linked_folders,
        endings={how: _group_by_ending(files, how) for how in (EXACT, CASE, SUFFIX, ZEROS, EQUAL)},
        left_out=left_out,
        companions={how: _group_by_ending(companions, how) for how in (EXACT, CASE, SUFFIX)},
    )


def match_reference(
    index: FileIndex, reference: str, *, is_number: bool = False, lost_zeros: bool = False, shown: str = ""
) -> Match:
    """Find the file that a reference names.

    Args:
        index: The files.
        reference: File name, with or without suffix; relative, absolute or Windows path; or URL.
        is_number: Whether the cell holds a number, so that leading zeros of the file name may be lost.
        lost_zeros: Whether the cell held a number once (a csv file that a spreadsheet program wrote), so that a number
            which several file names are equal to is ambiguous.
        shown: The text that a cell with a number shows, if it is known.
    """
    if (is_number or lost_zeros) and (equal := _match_number(index, reference, shown=shown)):
        return equal
    path = _as_posix(reference, root=index.root)
    if path is None:
        return Match(problem="leads out of the image folder; copy the image into the folder")
    if not path:
        return Match(problem="is not the name of a file")
    ways = (EXACT, CASE, SUFFIX, *((ZEROS,) if is_number else ()))
    match = _match_path(index, path, ways, find=_find_by_ending) or _find_companion(index, path)
    if match is None and (several := find_several(reference, index.names_file)):
        return Match(problem=f"names several files; {USE_ROWS}: {several}")
    match = match or _match_path(index, path, ways, find=_find_longest_tail)
    if match is not None:
        return match
    if path in index.escaping:
        return Match(problem=LINK_LEADS_OUT)
    return Match(problem=_explain_no_file(index, path))


def _match_path(
    index: FileIndex, path: str, ways: Sequence[str], *, find: Callable[[dict[str, list[str]], str], list[str]]
) -> Match | None:
    """The match of a path by the first way of comparing that finds files; None if none does."""
    for how in ways:
        files = tuple(find(index.endings[how], _comparable(path, how)))
        if len(files) > 1:
            problem = f"matches {len(files)} files: {_name_files(files)}; write the path with its folder and suffix"
            return Match(files, how, problem)
        if files:
            return Match(files, how, less_folders=find is _find_longest_tail)
    return None


def _find_companion(index: FileIndex, path: str) -> Match | None:
    """The match of a reference that names a mask or another companion of a frame; None if it does not."""
    for how, endings in index.companions.items():
        files = tuple(_find_by_ending(endings, _comparable(path, how)))
        if files:
            return Match(files, how, "" if len(files) == 1 else f"matches {len(files)} files: {_name_files(files)}")
    return None


def _match_number(index: FileIndex, reference: str, *, shown: str) -> Match | None:
    """The match of a number that its cell shows, or that several file names are equal to; None if there is neither."""
    if not NUMBER.fullmatch(reference):
        return None
    files = _find_by_ending(index.endings[EQUAL], _comparable(reference, EQUAL))
    as_shown = [file for file in files if _comparable(posixpath.basename(file), SUFFIX) == shown.casefold()]
    if len(as_shown) == 1:
        return Match((as_shown[0],), SHOWN)
    if len(files) < 2:
        return None
    problem = (
        f"is a number that several files have; format the column as text and write the names: {_name_files(files)}"
    )
    return Match(tuple(files), EQUAL, problem)


def are_shown_as_named(index: FileIndex, numbers: Iterable[tuple[str, str]]) -> bool:
    """Whether cells with numbers show the names of their files, as far as there are files for them.

    Args:
        index: The files.
        numbers: Each number, and what its cell shows.
    """
    for number, shown in numbers:
        files = _find_by_ending(index.endings[EQUAL], _comparable(number, EQUAL))
        if files and all(_comparable(posixpath.basename(file), SUFFIX) != shown.casefold() for file in files):
            return False
    return True


def names_root(index: FileIndex, reference: str, file: str) -> bool:
    """Whether a reference names the image folder itself before the path of a file in it."""
    path = _as_posix(reference, root=index.root) or ""
    before = path.split("/")[: -len(file.split("/"))]
    return bool(before) and visible(before[-1]).casefold() == visible(index.root.name).casefold()


def suggest_file(index: FileIndex, reference: str) -> str:
    """Name of a file that a reference may have meant, "" if none is similar."""
    name = _comparable(posixpath.basename(reference.replace("\\", "/")), CASE)
    pool = {_comparable(posixpath.basename(file), CASE): file for file in index.files[:SUGGESTION_POOL]}
    close = difflib.get_close_matches(name, list(pool), n=1, cutoff=0.75)
    return pool[close[0]] if close else ""


def _name_files(files: Sequence[str]) -> str:
    return ", ".join(map(repr, files[:NAMED_FILES])) + (", …" if len(files) > NAMED_FILES else "")


def _leads_out(root: Path, name: str) -> bool:
    path = root / name
    if not path.is_symlink():
        return False
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # leads nowhere, or to itself
        return True
    return not target.is_relative_to(root.resolve()) or not target.is_file()


def _as_posix(reference: str, *, root: Path) -> str | None:
    """A reference as a POSIX path relative to the folder or anywhere above it; None if it climbs out of it."""
    text = clean_text(reference).strip("\"'")
    if URL_START.match(text):
        text = "/" + urllib.parse.unquote(re.split(r"[?#]", text, maxsplit=1)[0]).partition("://")[2]
    elif text.startswith(str(root)) and Path(os.path.normpath(text)).is_relative_to(root):
        return Path(os.path.normpath(text)).relative_to(root).as_posix()
    else:
        text = DRIVE_START.sub("", text.replace("\\", "/"))
    absolute = text.startswith("/")
    path = posixpath.normpath(text.lstrip("/")) if text.strip("/") else ""
    if path == ".." or path.startswith("../"):
        return "" if absolute else None
    return "" if path == "." else path


def _comparable(path: str, how: str) -> str:
    path = visible(path)
    if how == EXACT:
        return path
    path = unicodedata.normalize("NFC", path.casefold())
    if how == CASE:
        return path
    before, dot, suffix = path.rpartition(".")
    stem = before if before and dot + suffix in IMAGE_SUFFIXES else path
    if how == SUFFIX:
        return stem
    folder, slash, name = stem.rpartition("/")
    number = NUMBER.fullmatch(name)
    if number is None:
        return folder + slash + name
    whole, dot, decimals = name.partition(".")
    decimals = decimals.rstrip("0") if how == EQUAL else decimals
    return folder + slash + (whole.lstrip("0") or "0") + (f"{dot}{decimals}" if decimals else "")


def _group_by_ending(files: Sequence[str], how: str) -> dict[str, list[str]]:
    endings: dict[str, list[str]] = defaultdict(list)
    for file in files:
        path = _comparable(file, how)
        for ending in (f"/{path}", *_tails(path)):
            endings[ending].append(file)
    return dict(endings)


def _tails(path: str) -> Iterator[str]:
    """Proper trailing parts of a path, the longest first: a/b/c gives b/c, then c."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _find_by_ending(endings: dict[str, list[str]], wanted: str) -> list[str]:
    """Files that are `wanted`, or else whose path ends in it."""
    return endings.get(f"/{wanted}") or endings.get(wanted) or []


def _find_longest_tail(endings: dict[str, list[str]], wanted: str) -> list[str]:
    """Files whose path is the longest trailing part of `wanted`."""
    return next((endings[f"/{tail}"] for tail in _tails(wanted) if f"/{tail}" in endings), [])


def _explain_no_file(index: FileIndex, path: str) -> str:
    if path in index.others:
        return f"is not an image file; images end in {', '.join(sorted(IMAGE_SUFFIXES))}"
    if any(path.startswith(f"{folder}/") for folder in index.linked_folders):
        return "is in a linked folder, and links to folders are not followed; copy or mount the folder instead"
    if SHORTENED.fullmatch(path):
        return "matches no file in the image folder: a spreadsheet program shortened a long number; enter it as text"
    return "matches no file in the image folder"
