"""Records and features to shortcut probes, naive against honest splits, and doubtful labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sonoproof.concurrency import map_in_order
from sonoproof.data.audit import add_to_audit
from sonoproof.data.frames.facts import decode
from sonoproof.data.frames.texture import texture_features
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.evaluation.probes.probe import DOUBT_COLUMNS, RESAMPLES, REVIEW_WORKBOOK, ProbeOutcome, probe_cohort
from sonoproof.reporting.workbooks.review_workbook import write_review_workbook
from sonoproof.runfolder import RunFolder, write_table
from sonoproof.stages.context import RunContext
from sonoproof.training.backbone import RANDOM
from sonoproof.types import Float32Array

DOUBTS = "label_doubts.csv"
PROBE_FILES = (DOUBTS, Path(REVIEW_WORKBOOK).name)
"""The files of the folder ``audit/`` that this stage answers for."""


def probe(context: RunContext) -> list[Path]:
    """Records and features to shortcut probes, naive against honest splits, and doubtful labels."""
    run, config = context.run, context.config
    if not config.audit.probes:
        return [run.audit]
    features, features_are = _features(context)
    outcome = probe_cohort(
        context.records,
        measures=_measures(run),
        features=features,
        features_are=features_are,
        classes=context.classes,
        bootstrap=Bootstrap(config.evaluate.confidence, RESAMPLES, config.seed),
    )
    add_to_audit(run, outcome.findings, summary=outcome.summary)
    for finding in outcome.findings:
        context.say(f"{finding.level}: {finding.title}")
    return [run.audit, *_write_doubts(context, outcome)]


def _features(context: RunContext) -> tuple[Float32Array, str]:
    """Features for the cheap classifier, (N, D), and what they are in words.

    They come from the backbone where it is pretrained. A random network sees little, so without one the texture of
    the frames is described.
    """
    image_ids = list(context.records["image_id"])
    if context.config.model.backbone != RANDOM:
        return context.features(image_ids), "frozen features of the network"

    def describe(image_id: str) -> Float32Array:
        return texture_features(context.frames([image_id])[0])

    workers = context.config.frames.workers
    described = map_in_order(describe, image_ids, workers=workers, progress=context.progress)
    return np.stack(list(described)), "measures of edges, spots and grey levels"


def _write_doubts(context: RunContext, outcome: ProbeOutcome) -> list[Path]:
    table, workbook = context.run.audit_folder / DOUBTS, context.run.root / REVIEW_WORKBOOK
    records = context.located_records
    paths = dict(zip(records["image_id"], records["path"], strict=True))
    write_table(table, outcome.doubts, columns=DOUBT_COLUMNS)
    write_review_workbook(
        workbook,
        outcome.doubts.head(outcome.review),
        classes=context.classes.names,
        load=lambda image_id: decode(
            paths[image_id], max_pixels=context.config.frames.max_pixels, bits=context.preprocessing.bits
        ),
    )
    return [table, workbook]


def _measures(run: RunFolder) -> pd.DataFrame:
    """The measures of the frames, numbers as numbers."""
    return pd.read_csv(run.audit_folder / "frames.csv", dtype={"image_id": str}, keep_default_na=False, na_values=[""])
