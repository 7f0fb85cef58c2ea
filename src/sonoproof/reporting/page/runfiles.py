"""What the report is made from: the files of the run folder, any of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.parts import REPORTED, Part
from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    QUARANTINE_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    read_json,
    read_table,
)
from sonoproof.types import Json


@dataclass(frozen=True)
class PartFiles:
    """The files of one part that was predicted; a missing one is an empty mapping, or None.

    Attributes:
        name: `Part.VAL`, `Part.TEST` or `Part.OOF`.
        evaluation: ``evaluation/PART.json``.
        curves: ``evaluation/PART_curves.json``.
        predictions: ``predictions/PART.csv``.
        explanations: ``explanations/PART/explanations.json``.
        survey: ``explanations/PART/survey.json``.
    """

    name: Part
    evaluation: Json = field(default_factory=dict)
    curves: Json = field(default_factory=dict)
    predictions: pd.DataFrame | None = None
    explanations: Json = field(default_factory=dict)
    survey: Json = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The part's name in the report."""
        return self.name.title

    @property
    def evaluation_file(self) -> str:
        """Where the metrics are, relative to the run, as are the following."""
        return f"evaluation/{self.name}.json"

    @property
    def curves_file(self) -> str:
        """Where the curves are."""
        return f"evaluation/{self.name}_curves.json"

    @property
    def predictions_file(self) -> str:
        """Where the predictions are."""
        return f"predictions/{self.name}.csv"

    @property
    def explanations_folder(self) -> str:
        """Where the explanations are."""
        return f"explanations/{self.name}"

    @property
    def explanations_file(self) -> str:
        """Where they are described."""
        return f"{self.explanations_folder}/explanations.json"

    @property
    def gates(self) -> list[Json]:
        """What the trust gate found for each method that it judged; empty if it was not run."""
        first = self.explanations.get("gate")
        return [first, *(self.explanations.get("further_gates") or [])] if isinstance(first, Mapping) else []


@dataclass(frozen=True)
class RunFiles:
    """The content of a run folder, for the report; a missing file is an empty mapping, or None."""

    run: RunFolder
    manifest: Json
    settings: str
    cohort: Json
    records: pd.DataFrame | None
    quarantine: pd.DataFrame | None
    audit: Json
    split: pd.DataFrame | None
    history: pd.DataFrame | None
    model: Json
    parts: tuple[PartFiles, ...]
    seeds: Json = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, str]:
        """Names of the negative and of the positive class, from the cohort or an evaluation."""
        classes = self.cohort.get("classes") or {}
        named = next((part.evaluation for part in self.parts if part.evaluation), {})
        negative = classes.get("negative") or named.get("negative_class") or "negative class"
        positive = classes.get("positive") or named.get("positive_class") or "positive class"
        return str(negative), str(positive)

    @property
    def evaluated(self) -> tuple[PartFiles, ...]:
        """The parts that have an evaluation."""
        return tuple(part for part in self.parts if part.evaluation)

    @property
    def evaluation_files(self) -> tuple[str, ...]:
        """The evaluation of each part that has one, relative to the run."""
        return tuple(part.evaluation_file for part in self.evaluated)

    @property
    def decision_files(self) -> tuple[str, ...]:
        """The file of what was chosen after training: ``model.json`` in runs that have no ``decision.json``."""
        path = self.run.model / "decision.json"
        return (self.run.relative(path) if path.is_file() else "model/model.json",)

    @property
    def findings(self) -> list[Json]:
        """What the audit found."""
        return list(self.audit.get("findings") or [])

    def labelled_split(self) -> pd.DataFrame | None:
        """The split with the ``label`` of each frame, "" where it is unknown; None where there is no split."""
        if self.split is None or self.records is None:
            return None if self.split is None else self.split.assign(label="")
        labels = dict(zip(self.records["image_id"], self.records["label"], strict=True))
        return self.split.assign(label=[labels.get(image_id, "") for image_id in self.split["image_id"]])


def read_run_files(run: RunFolder) -> RunFiles:
    """Read whatever a run folder holds.

    Raises:
        RunFolderError: A file is there but damaged or of another schema.
    """
    return RunFiles(
        run=run,
        manifest=_json(run.manifest, schema="manifest"),
        settings=run.config.read_text(encoding="utf-8", errors="replace") if run.config.exists() else "",
        cohort=_json(run.cohort, schema="cohort"),
        records=_table(run.records, columns=RECORD_COLUMNS),
        quarantine=_table(run.quarantine, columns=QUARANTINE_COLUMNS),
        audit=_json(run.audit, schema="audit"),
        split=_table(run.split, columns=SPLIT_COLUMNS),
        history=_table(run.history, columns=("epoch",)),
        model={
            **_json(run.model / "model.json", schema="model"),
            **_json(run.model / "decision.json", schema="decision"),
        },
        parts=tuple(_read_part(run, name) for name in (*REPORTED, Part.OOF)),
        seeds=_json(run.seeds, schema="seeds"),
    )


def _read_part(run: RunFolder, name: Part) -> PartFiles:
    evaluation = run.evaluation(name)
    return PartFiles(
        name=name,
        evaluation=_json(evaluation, schema="evaluation"),
        curves=_json(evaluation.with_name(f"{name}_curves.json"), schema="curves"),
        predictions=_table(run.predictions(name), columns=PREDICTION_COLUMNS),
        explanations=_json(run.explanations(name) / "explanations.json", schema="explanations"),
        survey=_json(run.explanations(name) / "survey.json", schema="survey"),
    )


def _json(path: Path, *, schema: str) -> dict[str, Any]:
    return read_json(path, schema=schema) if path.exists() else {}


def _table(path: Path, *, columns: tuple[str, ...]) -> pd.DataFrame | None:
    return read_table(path, columns=columns) if path.exists() else None
