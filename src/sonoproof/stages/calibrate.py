"""What is chosen after training: calibration, threshold, abstention, and what novelty is measured from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.evaluation.choosing.choose import choose_decision
from sonoproof.evaluation.choosing.cross_fit import cross_fit_decisions
from sonoproof.evaluation.choosing.rows import CalibrationRows, novelty_rows, rows_to_choose_on
from sonoproof.inference.predict import Scores, answer_rows, score
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table
from sonoproof.stages.context import frames_of, records_and_split
from sonoproof.stages.job import Job
from sonoproof.training.batches import LoadFrames
from sonoproof.training.bundle import ModelBundle, forget_decision, load_bundle, save_decision
from sonoproof.training.model import resolve_device
from sonoproof.training.novelty import NEIGHBOURS, NoveltyScorer, fit_novelty
from sonoproof.training.verdict import Decision

__all__ = ["calibrate", "cross_fitted", "decide", "is_cross_fitted", "out_of_fold"]


def calibrate(job: Job) -> list[Path]:
    """Choose calibration, threshold and abstention; learn what the training frames look like."""
    forget_decision(job.run.model)
    table, bundle = records_and_split(job.run), load_bundle(job.run.model)
    load, _ = frames_of(job)
    decision, facts = decide(job, table, bundle=bundle, load=load)
    for line in _describe(decision, positive=bundle.positive):
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
        What was chosen, and how: the ``rows`` in words, and the parts that are cross-fitted, under ``crosswise``.
    """

    def scores(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        image_ids, device = list(rows["image_id"]), resolve_device(job.config.model.device)
        return score(bundle, image_ids=image_ids, load=load, device=device, progress=job.progress)

    has_folds = job.config.split.folds and job.run.out_of_fold.is_file()
    chosen_on = rows_to_choose_on(
        table,
        positive=bundle.positive,
        score=scores,
        out_of_fold=read_table(job.run.out_of_fold, columns=PREDICTION_COLUMNS) if has_folds else None,
        members=len(bundle.classifier.members),
        least_groups=job.config.calibrate.least_groups,
        chose_checkpoint=str(bundle.training.get("monitor") or "").startswith("stop_"),
    )
    decision = choose_decision(
        chosen_on.rows,
        config=job.config.calibrate,
        threshold=job.config.evaluate.threshold,
        chosen_on=chosen_on.name,
        seed=job.config.fit.seed,
    )
    return decision, {"rows": chosen_on.name, "crosswise": ["val"] if chosen_on.cross_fitted else []}


def is_cross_fitted(run: RunFolder, part: str) -> bool:
    """Whether the rows of a part were themselves chosen on, so that each fold of them is decided by the others."""
    path = run.model / "decision.json"
    return path.is_file() and part in read_json(path, schema="decision").get("crosswise", [])


def cross_fitted(job: Job, records: pd.DataFrame, *, bundle: ModelBundle, scores: Scores) -> pd.DataFrame:
    """Predictions of rows, each fold of groups decided by the other folds.

    Args:
        job: The job.
        records: The rows, labelled; a column ``fold`` without gaps gives the folds, else they are made of the groups.
        bundle: The model.
        scores: What the network says of the rows.
    """
    found = cross_fit_decisions(
        CalibrationRows.from_table(records, logits=scores.logits, positive=bundle.positive),
        config=job.config.calibrate,
        threshold=job.config.evaluate.threshold,
        fold=records["fold"].to_numpy(np.intp) if "fold" in records and records["fold"].notna().all() else None,
        seed=job.config.fit.seed,
    )

    def decided(places: npt.NDArray[np.intp], decision: Decision) -> pd.DataFrame:
        own = Scores(scores.logits[places], scores.unlike[places])
        return answer_rows(records.iloc[places], bundle=replace(bundle, decision=decision), scores=own)

    return found.apply(decided)


def out_of_fold(job: Job) -> pd.DataFrame:
    """The out-of-fold predictions as they are reported: each fold decided by what the other folds chose."""
    raw = read_table(job.run.out_of_fold, columns=(*PREDICTION_COLUMNS, "fold"))
    bundle = load_bundle(job.run.model)
    scores = Scores(raw["logit"].to_numpy(np.float64), np.full(len(raw), np.nan))
    return cross_fitted(job, raw, bundle=bundle, scores=scores).assign(fold=raw["fold"].to_numpy())


def _likeness(job: Job, table: pd.DataFrame, *, load: LoadFrames) -> NoveltyScorer | None:
    """What the training frames look like."""
    train, held_out = novelty_rows(table)
    if len(train) < NEIGHBOURS or not len(held_out):
        job.say("what the training frames look like was not learned: too few frames")
        return None
    return fit_novelty(
        load(list(train["image_id"])),
        held_out=load(list(held_out["image_id"])),
        groups=held_out["group"].to_numpy(str),
    )


def _describe(decision: Decision, *, positive: str) -> list[str]:
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
