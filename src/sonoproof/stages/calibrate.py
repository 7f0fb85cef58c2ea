"""What is chosen after training: calibration, threshold, abstention, and what the training frames look like.

The rows that choose are never those that a figure is for. In this order: out-of-fold rows of the fit part, where there
are folds; rows set aside from the fit part; validation rows, crosswise by groups.

Of an ensemble an out-of-fold row has the logit of one member, and the saved model answers with the mean of all: what
fits the one does not fit the other. There the validation rows choose, which no member has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.evaluation.choosing.choose import CalibrationRows, CrossFit, choose_decision, cross_fit_decisions
from sonoproof.inference.predict import Scores, answer_rows, score
from sonoproof.runfolder import PREDICTION_COLUMNS, SPLIT_COLUMNS, RunFolder, read_json, read_table
from sonoproof.stages.context import frames_of, records_and_split
from sonoproof.stages.job import Job
from sonoproof.training.batches import LoadFrames
from sonoproof.training.bundle import ModelBundle, forget_decision, load_bundle, save_decision
from sonoproof.training.model import resolve_device
from sonoproof.training.novelty import NEIGHBOURS, NoveltyScorer, fit_novelty
from sonoproof.training.verdict import Decision

__all__ = ["calibrate", "crosswise", "decide", "is_crosswise", "out_of_fold"]

OUT_OF_FOLD = "out-of-fold rows of the fit part"
SET_ASIDE = "rows set aside from the fit part"
SET_ASIDE_ALSO_STOPPED = "rows set aside from the fit part, which also chose the checkpoint"
VALIDATION = "validation rows, crosswise by groups"
# Training frames by which others are judged, and held-out frames by which that judgement is.
LIKENESS_FRAMES = 256


@dataclass(frozen=True)
class _Source:
    """Rows to choose on.

    Attributes:
        name: What they are, in words.
        rows: The rows.
        crosswise: Whether they are reported on themselves, so that each fold of them is decided by the others.
    """

    name: str
    rows: CalibrationRows
    crosswise: bool = False


def calibrate(job: Job) -> list[Path]:
    """Choose calibration, threshold and abstention; learn what the training frames look like."""
    forget_decision(job.run.model)
    table, bundle = records_and_split(job.run), load_bundle(job.run.model)
    load, _ = frames_of(job)
    decision, facts = decide(job, table, bundle=bundle, load=load)
    for line in _said(decision, positive=bundle.positive):
        job.say(line)
    likeness = _likeness(job, table, load=load)
    return save_decision(decision, job.run.model, likeness=likeness, facts=facts)


def decide(job: Job, table: pd.DataFrame, *, bundle: ModelBundle, load: LoadFrames) -> tuple[Decision, dict[str, Any]]:
    """Choose calibration, threshold and abstention of a model.

    Args:
        job: The job.
        table: Records and split.
        bundle: The model.
        load: Gives frames.

    Returns:
        What was chosen, and how: the ``rows`` in words, and the parts that are decided ``crosswise``.
    """
    source = _source(job, table, bundle=bundle, load=load)
    decision = choose_decision(
        source.rows,
        config=job.config.calibrate,
        threshold=job.config.evaluate.threshold,
        chosen_on=source.name,
        seed=job.config.fit.seed,
    )
    return decision, {"rows": source.name, "crosswise": ["val"] if source.crosswise else []}


def is_crosswise(run: RunFolder, part: str) -> bool:
    """Whether the rows of a part were themselves chosen on, so that each fold of them is decided by the others."""
    path = run.model / "decision.json"
    return path.is_file() and part in read_json(path, schema="decision").get("crosswise", [])


def crosswise(job: Job, records: pd.DataFrame, *, bundle: ModelBundle, scores: Scores) -> pd.DataFrame:
    """Predictions of rows, each fold of groups decided by the other folds.

    Args:
        job: The job.
        records: The rows, labelled; a column ``fold`` without gaps gives the folds, else they are made of the groups.
        bundle: The model.
        scores: What the network says of the rows.
    """
    rows = _rows(records, scores.logits, positive=bundle.positive)
    fold = records["fold"].to_numpy(np.intp) if "fold" in records and records["fold"].notna().all() else None
    found = cross_fit_decisions(
        rows, config=job.config.calibrate, threshold=job.config.evaluate.threshold, fold=fold,
        seed=job.config.fit.seed,
    )  # fmt: skip
    return _by_fold(records, bundle=bundle, scores=scores, found=found)


def out_of_fold(job: Job) -> pd.DataFrame:
    """The out-of-fold predictions as they are reported: each fold decided by what the other folds chose."""
    raw = read_table(job.run.out_of_fold, columns=(*PREDICTION_COLUMNS, "fold"))
    bundle = load_bundle(job.run.model)
    scores = Scores(raw["logit"].to_numpy(np.float64), np.full(len(raw), np.nan))
    return crosswise(job, raw, bundle=bundle, scores=scores).assign(fold=raw["fold"].to_numpy())


def _by_fold(records: pd.DataFrame, *, bundle: ModelBundle, scores: Scores, found: CrossFit) -> pd.DataFrame:
    parts = []
    for fold, decision in enumerate(found.decisions):
        inside = np.flatnonzero(found.fold == fold)
        answers = answer_rows(
            records.iloc[inside],
            bundle=replace(bundle, decision=decision),
            scores=Scores(scores.logits[inside], scores.unlike[inside]),
        )
        parts.append(answers.assign(place=inside))
    whole = pd.concat(parts, ignore_index=True).sort_values("place")
    return whole.drop(columns="place").reset_index(drop=True)


def _source(job: Job, table: pd.DataFrame, *, bundle: ModelBundle, load: LoadFrames) -> _Source:
    """The rows to choose on; the first kind that has groups enough."""
    least = job.config.calibrate.least_groups
    if len(bundle.classifier.members) > 1:
        return _validation(job, table, bundle=bundle, load=load)
    if job.config.split.folds and job.run.out_of_fold.is_file():
        rows = _out_of_fold_rows(job.run, positive=bundle.positive)
        if rows.groups_of_rarer_class >= least:
            return _Source(OUT_OF_FOLD, rows)
    aside = table[table["use"] == "stop"]
    if _groups_of_rarer_class(aside) >= least:
        stopped = str(bundle.training.get("monitor") or "").startswith("stop_")
        name = SET_ASIDE_ALSO_STOPPED if stopped else SET_ASIDE
        return _Source(name, _scored_rows(job, aside, bundle=bundle, load=load))
    return _validation(job, table, bundle=bundle, load=load)


def _validation(job: Job, table: pd.DataFrame, *, bundle: ModelBundle, load: LoadFrames) -> _Source:
    rows = table[table["part"] == "val"]
    return _Source(VALIDATION, _scored_rows(job, rows, bundle=bundle, load=load), crosswise=True)


def _out_of_fold_rows(run: RunFolder, *, positive: str) -> CalibrationRows:
    """Out-of-fold rows of the fit part: validation rows choose nothing."""
    raw = read_table(run.out_of_fold, columns=PREDICTION_COLUMNS)
    parts = read_table(run.split, columns=SPLIT_COLUMNS)
    fit = raw[raw["image_id"].isin(parts.loc[parts["part"] == "fit", "image_id"])]
    return _rows(fit, fit["logit"].to_numpy(np.float64), positive=positive)


def _scored_rows(job: Job, table: pd.DataFrame, *, bundle: ModelBundle, load: LoadFrames) -> CalibrationRows:
    logits = score(
        bundle,
        image_ids=list(table["image_id"]),
        load=load,
        device=resolve_device(job.config.model.device),
        progress=job.progress,
    )
    return _rows(table, logits, positive=bundle.positive)


def _rows(table: pd.DataFrame, logits: npt.NDArray[np.float64], *, positive: str) -> CalibrationRows:
    return CalibrationRows(logits, (table["label"] == positive).to_numpy(bool), table["group"].to_numpy(str))


def _groups_of_rarer_class(table: pd.DataFrame) -> int:
    by_class = table.groupby("label")["group"].nunique()
    return int(by_class.min()) if len(by_class) > 1 else 0


def _likeness(job: Job, table: pd.DataFrame, *, load: LoadFrames) -> NoveltyScorer | None:
    """What the training frames look like, judged by rows that no gradient has seen; their labels are not read."""
    train = table[(table["part"] == "fit") & (table["use"] == "train")]
    held_out = table[table["use"] == "stop"]
    held_out = held_out if held_out["group"].nunique() > 1 else table[table["part"] == "val"]
    if len(train) < NEIGHBOURS or not len(held_out):
        job.say("what the training frames look like was not learned: too few frames")
        return None
    judged = _spread(held_out)
    return fit_novelty(
        load(list(_spread(train)["image_id"])),
        held_out=load(list(judged["image_id"])),
        groups=judged["group"].to_numpy(str),
    )


def _spread(table: pd.DataFrame) -> pd.DataFrame:
    """At most `LIKENESS_FRAMES` rows, evenly spread."""
    kept = np.unique(np.linspace(0, len(table) - 1, min(LIKENESS_FRAMES, len(table))).round().astype(int))
    return table.sort_values("image_id").iloc[kept]


def _said(decision: Decision, *, positive: str) -> list[str]:
    calibration, point, abstention = decision.calibration, decision.operating_point, decision.abstention
    fitted = calibration.chosen_on
    if calibration.method == "temperature":
        fitted = f"temperature {calibration.temperature:.3g} from {calibration.n_groups} groups: {fitted}"
    elif calibration.method != "none":
        fitted = f"{calibration.method} from {calibration.n_groups} groups: {fitted}"
    sure = f"at most {abstention.error:.0%} wrong answers" if abstention.error else abstention.chosen_on
    return [
        f"calibration: {fitted}",
        f"called {positive} from {point.threshold:.3g} on ({point.policy}; {point.chosen_on})",
        f"not sure: {sure}",
    ]
