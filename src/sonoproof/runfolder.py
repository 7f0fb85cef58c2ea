"""The run folder: the names, the schemas and the atomic writing of everything in a run.

The folder is the interface between stages and to the reader. Each file has one writer; every file is written
beside its place and renamed into it, so that a killed run leaves whole files or none. ``manifest.json`` says which
stage wrote what, from which inputs, with which SHA-256.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonoproof.errors import RunFolderError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
# The newest version of a schema that has others than the first. A file is written in the oldest that can say it.
_NEWEST = {"model": 2}
# What a killed writer leaves behind begins with this; nothing reads it.
PARTIAL = ".partial-"

RECORD_COLUMNS = (
    "image_id", "path", "origin", "label", "group", "source", "sha256", "pixel_sha256", "width", "height",
)  # fmt: skip
QUARANTINE_COLUMNS = ("sheet_row", "reference", "reason", "origin", "sheet", "cell", "value")
SPLIT_COLUMNS = ("image_id", "group", "part", "use", "fold")
PREDICTION_COLUMNS = (
    "image_id", "path", "group", "source", "label", "target", "logit", "probability", "predicted",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run. Nothing is created until something is written.

    Attributes:
        root: The folder.
    """

    root: Path

    def existing(self) -> RunFolder:
        """This folder, if there is a run in it.

        Raises:
            RunFolderError: It is missing, or something else.
        """
        if not self.manifest.is_file():
            raise RunFolderError(f"{self.root}: is not a run folder (it has no manifest.json)")
        return self

    @property
    def manifest(self) -> Path:
        """Stages done, inputs, versions, settings and hashes."""
        return self.root / "manifest.json"

    @property
    def config(self) -> Path:
        """The settings used, as TOML."""
        return self.root / "config.toml"

    @property
    def records(self) -> Path:
        """Every usable row (columns `RECORD_COLUMNS`, then the sheet's own group columns)."""
        return self.root / "records.csv"

    @property
    def quarantine(self) -> Path:
        """Every row that cannot be used (columns `QUARANTINE_COLUMNS`)."""
        return self.root / "quarantine.csv"

    @property
    def cohort(self) -> Path:
        """What the sheet was understood to say: columns, coding, positive class, row counts."""
        return self.root / "cohort.json"

    @property
    def audit(self) -> Path:
        """Findings of the audit."""
        return self.root / "audit.json"

    @property
    def audit_folder(self) -> Path:
        """Pictures and tables of the audit."""
        return self.root / "audit"

    @property
    def split(self) -> Path:
        """Which frame is in which part (columns `SPLIT_COLUMNS`)."""
        return self.root / "split.csv"

    @property
    def history(self) -> Path:
        """Metrics of both parts, one row per epoch."""
        return self.root / "history.csv"

    @property
    def model(self) -> Path:
        """The saved model: ``weights.safetensors`` and ``model.json``."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """State of the training, for ``--resume``."""
        return self.root / "checkpoints"

    @property
    def folds_folder(self) -> Path:
        """The trainings of the folds."""
        return self.root / "folds"

    def fold(self, number: int) -> RunFolder:
        """The training on all folds but this one: history, checkpoints, model, and predictions of the fold."""
        return RunFolder(self.folds_folder / str(number))

    @property
    def out_of_fold(self) -> Path:
        """The networks' logits of every row that they did not learn from, before anything is chosen on them."""
        return self.folds_folder / "oof.csv"

    @property
    def seeds_folder(self) -> Path:
        """The trainings with further seeds."""
        return self.root / "seeds"

    def with_seed(self, seed: int) -> RunFolder:
        """The training done again with another seed: history, checkpoints, model and predictions."""
        return RunFolder(self.seeds_folder / str(seed))

    @property
    def store(self) -> Path:
        """Decoded frames."""
        return self.root / "store"

    def predictions(self, part: str) -> Path:
        """Predictions of a part: ``val``, ``test`` or ``oof`` (columns `PREDICTION_COLUMNS`)."""
        return self.root / "predictions" / f"{part}.csv"

    def evaluation(self, part: str) -> Path:
        """Metrics of a part with their intervals."""
        return self.root / "evaluation" / f"{part}.json"

    @property
    def metrics(self) -> Path:
        """The table of metrics, a part and metric a row."""
        return self.root / "evaluation" / "metrics.csv"

    @property
    def seeds(self) -> Path:
        """How the metrics differ between trainings with different seeds."""
        return self.root / "evaluation" / "seeds.json"

    def explanations(self, part: str) -> Path:
        """Folder with the explanations of a part: ``explanations.json``, figures and arrays."""
        return self.root / "explanations" / part

    @property
    def figures(self) -> Path:
        """Folder with the figures of the report."""
        return self.root / "figures"

    @property
    def checklists(self) -> Path:
        """Folder with the model card and the reporting checklists, as far as the run fills them."""
        return self.root / "checklists"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.html"

    def relative(self, path: Path) -> str:
        """A path inside the run as written in the manifest and in links (POSIX, relative)."""
        return path.relative_to(self.root).as_posix()


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder, except hidden ones."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def sweep(folder: Path) -> int:
    """Remove what killed writers left behind in a folder; return how many files that were."""
    leftovers = list(folder.rglob(f"{PARTIAL}*")) if folder.is_dir() else []
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission into a `RunFolderError` that names the file to be written."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"{path}: cannot be written ({error.strerror or error}); nothing was lost: free some space or choose "
            "another folder, then run again"
        ) from error


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place when the block ends without an error.

    The content is flushed to the disk before the rename, so that after a kill or power cut the file is either the
    old or the new one, never half of one. Everyone may read it, however it was written. A full disk or a missing
    permission becomes a `RunFolderError`.

    Args:
        path: The file to be written.
        durable: False for a file that has a checksum and can be made again: it is not flushed, which takes longer than
            writing it, and after a power cut it may be damaged.
    """
    temporary: Path | None = None
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"{PARTIAL}{path.stem[:80]}.", suffix=path.suffix, dir=path.parent)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            # Last: a writer that puts a new file in place of the temporary one (safetensors does) brings its own mode.
            temporary.chmod(0o644)
            if durable:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Mapping[str, Any], *, schema: str, version: int = SCHEMA_VERSION) -> None:
    """Write a JSON object atomically, with its schema's name and version first.

    Floats that are not finite are written as null: JSON has no NaN, and a reader must not meet one unawares.
    """
    body = {"schema": schema, "schema_version": version, **_plain(content)}
    write_text(path, json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, *, schema: str) -> dict[str, Any]:
    """Read a JSON object written by `write_json`.

    Raises:
        RunFolderError: The file is missing, damaged, of another schema or of a newer version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(f"{path}: is missing; run the stage that writes it first") from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise RunFolderError(f"{path}: is not a {schema} file")
    if content.get("schema_version", 0) > _NEWEST.get(schema, SCHEMA_VERSION):
        raise RunFolderError(f"{path}: was written by a newer Sonoproof (schema {content['schema_version']})")
    return content


def write_table(path: Path, table: pd.DataFrame, *, columns: Sequence[str]) -> None:
    """Write a table as UTF-8 csv, atomically; `columns` come first, the table's further ones after them.

    Raises:
        RunFolderError: A column is missing.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise RunFolderError(f"{path}: the table lacks the column(s) {', '.join(missing)}")
    further = [column for column in table.columns if column not in columns]
    with atomic_path(path) as temporary:
        table[[*columns, *further]].to_csv(temporary, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")


def read_table(path: Path, *, columns: Sequence[str]) -> pd.DataFrame:
    """Read a csv written by `write_table`. Text columns stay text: ``007`` is not 7, and ``NA`` is not missing.

    Columns named in `NUMERIC_COLUMNS` become numbers (missing: NaN); every other column is text (missing: "").

    Raises:
        RunFolderError: The file is missing or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise RunFolderError(f"{path}: is missing; run the stage that writes it first") from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: cannot be read ({error})") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise RunFolderError(f"{path}: lacks the column(s) {', '.join(missing)}")
    for column in sorted(NUMERIC_COLUMNS & set(table.columns)):
        try:
            table[column] = pd.to_numeric(table[column].replace("", None))
        except ValueError as error:
            raise RunFolderError(f"{path}: the column {column} holds a value that is not a number ({error})") from error
    return table


NUMERIC_COLUMNS = {
    "width", "height", "target", "logit", "probability", "calibrated_logit", "threshold", "unlike", "fold",
    "sheet_row", "epoch",
}  # fmt: skip


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # numpy scalars
        value = value.item()
    elif hasattr(value, "tolist"):  # numpy arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value
