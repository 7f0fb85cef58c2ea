"""What the report is built from: the files of the run folder, each of them optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sonoproof.runfolder import (
    PREDICTION_COLUMNS,
    QUARANTINE_COLUMNS,
    RECORD_COLUMNS,
    SPLIT_COLUMNS,
    RunFolder,
    read_json,
    read_table,
)

__all__ = ["PARTS", "Evidence", "PartEvidence", "read_evidence"]

PARTS = ("val", "test", "oof")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class PartEvidence:
    """Files of one part: validation, test or out of fold.

    Attributes:
        name: ``val``, ``test`` or ``oof``.
        evaluation: ``evaluation/PART.json``, empty if there is none.
        curves: ``evaluation/PART_curves.json``, empty if there is none.
        predictions: ``predictions/PART.csv`` or None.
        explanations: ``explanations/PART/explanations.json``, empty if there is none.
        survey: ``explanations/PART/survey.json``, empty if there is none.
    """

    name: str
    evaluation: Json = field(default_factory=dict)
    curves: Json = field(default_factory=dict)
    predictions: pd.DataFrame | None = None
    explanations: Json = field(default_factory=dict)
    survey: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """Everything that a run folder holds for the report; a missing file is an empty mapping or None."""

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
    parts: tuple[PartEvidence, ...]
    seeds: Json = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, str]:
        """Names of the negative and of the positive class, as the cohort or an evaluation has them."""
        classes = self.cohort.get("classes") or {}
        named = next((part.evaluation for part in self.parts if part.evaluation), {})
        negative = classes.get("negative") or named.get("negative_class") or "negative class"
        positive = classes.get("positive") or named.get("positive_class") or "positive class"
        return str(negative), str(positive)

    @property
    def evaluated(self) -> tuple[PartEvidence, ...]:
        """The parts that have an evaluation."""
        return tuple(part for part in self.parts if part.evaluation)


def read_evidence(run: RunFolder) -> Evidence:
    """Read what is there of a run.

    Raises:
        RunFolderError: A file is there but damaged or of another schema.
    """
    return Evidence(
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
        parts=tuple(_read_part(run, name) for name in PARTS),
        seeds=_json(run.seeds, schema="seeds"),
    )


def _read_part(run: RunFolder, name: str) -> PartEvidence:
    evaluation = run.evaluation(name)
    return PartEvidence(
        name=name,
        evaluation=_json(evaluation, schema="evaluation"),
        curves=_json(evaluation.with_name(f"{name}_curves.json"), schema="curves"),
        predictions=_table(run.predictions(name), columns=PREDICTION_COLUMNS),
        explanations=_json(run.explanations(name) / "explanations.json", schema="explanations"),
        survey=_json(run.explanations(name) / "survey.json", schema="survey"),
    )


def _json(path: Path, *, schema: str) -> Json:
    return read_json(path, schema=schema) if path.exists() else {}


def _table(path: Path, *, columns: tuple[str, ...]) -> pd.DataFrame | None:
    return read_table(path, columns=columns) if path.exists() else None
