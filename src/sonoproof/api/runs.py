"""Runs and audits, and what is in their folders, as pandas tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import escape

from sonoproof.api.classifier import Classifier
from sonoproof.api.progress import shown
from sonoproof.config import Config, override
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.evaluate.evaluate import METRIC_COLUMNS
from sonoproof.parts import Part
from sonoproof.pipeline import audit as audit_pipeline
from sonoproof.pipeline import run as run_pipeline
from sonoproof.reporting.terminal.summary import audit_lines, summary_lines
from sonoproof.reporting.wording.text import visible_text
from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    QUARANTINE_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    read_json,
    read_table,
)
from sonoproof.stages.context import Inputs
from sonoproof.verification import Verification, verify_run

_METRIC_NUMBERS = ("value", "low", "high", "n", "n_units")


class Run:
    """A run folder, or that of an audit. Files are read when they are asked for; tables are copies.

    Args:
        folder: The folder.

    Raises:
        RunFolderError: There is no run in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._run = RunFolder(self.folder).existing()

    @property
    def records(self) -> pd.DataFrame:
        """Every row used, with ``image_id``, ``path``, ``label``, ``group`` and ``source``."""
        return read_table(self._run.records, columns=RECORD_COLUMNS)

    @property
    def quarantine(self) -> pd.DataFrame:
        """Every row that is not used, with its cell and the reason."""
        return read_table(self._run.quarantine, columns=QUARANTINE_COLUMNS)

    @property
    def split(self) -> pd.DataFrame:
        """Which image is in which part."""
        return read_table(self._run.split, columns=SPLIT_COLUMNS)

    @property
    def findings(self) -> pd.DataFrame:
        """The findings of the audit, most severe first: ``id``, ``level``, ``title``, ``detail``."""
        found = read_json(self._run.audit, schema="audit")["findings"]
        return pd.DataFrame(found).reindex(columns=["id", "level", "title", "detail"])

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per part and metric: ``value``, ``low`` and ``high`` as numbers, NaN where undefined."""
        table = read_table(self._run.metrics, columns=METRIC_COLUMNS)
        return table.assign(**{name: pd.to_numeric(table[name].replace("", None)) for name in _METRIC_NUMBERS})

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that were predicted, such as ``val`` and ``test``."""
        return tuple(part.value for part in Part if self._run.predictions(part).is_file())

    def predictions(self, part: str = "val") -> pd.DataFrame:
        """The predictions of a part, one row per image.

        Args:
            part: ``val``, ``test``, ``test_without_twins`` or ``oof``.

        Raises:
            RunFolderError: The run has no predictions of this part.
        """
        if part not in self.parts:
            there = ", ".join(self.parts) or "none"
            raise RunFolderError(f"{self.folder}: there are no predictions of {part!r} (there are: {there})")
        return read_table(self._run.predictions(part), columns=PREDICTION_COLUMNS)

    def evaluation(self, part: str = "val") -> dict[str, Any]:
        """Everything in ``evaluation/PART.json``: metrics, counts, calibration, notes."""
        return read_json(self._run.evaluation(part), schema="evaluation")

    @property
    def report(self) -> Path:
        """Path of the report."""
        return self._run.report

    @property
    def model(self) -> Classifier:
        """The model, loaded; see `load`."""
        return Classifier(self.folder)

    def verify(self) -> Verification:
        """Check every hash, and compute every number again: ``differences`` is empty for a run that holds."""
        return verify_run(self._run)

    def __repr__(self) -> str:
        return "\n".join([f"Run({str(self.folder)!r})", *self._lines()])

    def _repr_html_(self) -> str:
        lines = "\n".join(visible_text(line) for line in self._lines())
        return f"<b>Run</b> {escape(visible_text(str(self.folder)))}<pre>{escape(lines)}</pre>"

    def _lines(self) -> list[str]:
        if self._run.metrics.is_file():
            return summary_lines(self._run)
        return audit_lines(self._run) if self._run.audit.is_file() else ["not finished"]


def run(
    sheet: str | Path,
    *,
    images: str | Path,
    out: str | Path,
    test_images: str | Path | None = None,
    test_sheet: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
    seed: int = 0,
    **tables: Mapping[str, Any],
) -> Run:
    """Audit, split, train, evaluate, explain and report, as ``sonoproof run`` does.

    Args:
        sheet: The label sheet.
        images: Folder with its images.
        out: The run folder; must be new or empty, unless resumed.
        test_images: Folder with test images.
        test_sheet: Sheet that labels them.
        resume: Whether to continue an unfinished run in `out`.
        progress: Whether to show messages and bars.
        seed: Seed of everything random.
        tables: Settings by table, such as ``model={"backbone": "random"}``.

    Raises:
        SonoproofError: Anything that you can fix, with what, where and how.
    """
    inputs = _inputs(sheet, images, test_images, test_sheet)
    config = override(Config(), {"seed": seed, **tables}, origin="run")
    with shown(progress) as reporter:
        run_pipeline(
            Path(out), inputs=inputs, config=config, reporter=reporter, command=_call("run", inputs, tables),
            resume=resume,
        )  # fmt: skip
    return Run(out)


def audit(
    sheet: str | Path,
    *,
    images: str | Path,
    out: str | Path,
    against_images: str | Path | None = None,
    against: str | Path | None = None,
    progress: bool = False,
    seed: int = 0,
    **tables: Mapping[str, Any],
) -> Run:
    """Look for copies, look-alikes, leaks, shortcuts and doubtful labels, as ``sonoproof audit`` does.

    Args:
        sheet: The label sheet.
        images: Folder with its images.
        out: The folder to write; must be new or empty.
        against_images: Folder with test images to compare with.
        against: Sheet with their labels.
        progress: Whether to show messages and bars.
        seed: Seed of everything random.
        tables: Settings by table.

    Raises:
        AuditBlocked: A policy stops it; what was found is written.
        SonoproofError: Anything else that you can fix.
    """
    inputs = _inputs(sheet, images, against_images, against)
    config = override(Config(), {"seed": seed, **tables}, origin="audit")
    with shown(progress) as reporter:
        audit_pipeline(
            Path(out), inputs=inputs, config=config, reporter=reporter, command=_call("audit", inputs, tables)
        )
    return Run(out)


def _inputs(
    sheet: str | Path, images: str | Path, test_images: str | Path | None, test_sheet: str | Path | None
) -> Inputs:
    optional = [None if path is None else Path(path) for path in (test_images, test_sheet)]
    return Inputs(Path(sheet), Path(images), test_images=optional[0], test_sheet=optional[1])


def _call(name: str, inputs: Inputs, tables: Mapping[str, Any]) -> str:
    """The call as it is noted in the manifest."""
    given = "".join(f", {table}={json.dumps(values, default=str)}" for table, values in tables.items())
    return f"sonoproof.{name}({str(inputs.sheet)!r}, images={str(inputs.images)!r}{given})"
