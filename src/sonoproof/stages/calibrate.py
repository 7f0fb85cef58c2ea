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
from sonoproof.evaluation.choosing.rows import CalibrationRows, ChoosingRows, novelty_rows, rows_to_choose_on
from sonoproof.evaluation.intervals.resampling import Bootstrap
from sonoproof.inference.predict import answer_rows
from sonoproof.inference.scoring import Scores
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table
from sonoproof.stages.context import RunContext
from sonoproof.training.bundle import ModelBundle, forget_decision, save_decision
from sonoproof.training.novelty import NEIGHBOURS, NoveltyScorer, fit_novelty
from sonoproof.training.verdict import Decision
from sonoproof.types import FloatArray


def calibrate(context: RunContext) -> list[Path]:
    """Choose calibration, threshold and abstention; learn what the training frames look like."""
    forget_decision(context.run.model)
    decision, facts = decide(context, context.bundle)
    for line in _describe(decision, positive=context.classes.positive):
        context.say(line)
    return save_decision(decision, context.run.model, novelty=_novelty(context), facts=facts)


def decide(context: RunContext, bundle: ModelBundle) -> tuple[Decision, dict[str, Any]]:
    """Choose calibration, threshold and abstention of a model.

    Args:
        context: The run that the model was trained in.
        bundle: The model.

    Returns:
        What was chosen, and how: the ``rows`` in words, their ``groups``, how many these are worth for each class
        (``effective_groups``), the rows of the ``largest_group``, and the parts that are cross-fitted (``crosswise``).
    """
    config, chosen_on = context.config, _rows(context, bundle)
    decision = choose_decision(
        chosen_on.rows,
        config=config.calibrate,
        threshold=config.evaluate.threshold,
        chosen_on=chosen_on.name,
        bootstrap=Bootstrap(seed=config.fit.effective_seed),
    )
    return decision, {
        "rows": chosen_on.name,
        **_group_facts(chosen_on.rows),
        "crosswise": ["val"] if chosen_on.cross_fitted else [],
    }


def _group_facts(rows: CalibrationRows) -> dict[str, Any]:
    positive, negative = rows.effective_groups
    return {
        "groups": rows.n_groups,
        "effective_groups": {"positive": round(positive, 2), "negative": round(negative, 2)},
        "largest_group": int(np.bincount(rows.group_of_row).max(initial=0)),
    }


def is_cross_fitted(run: RunFolder, part: str) -> bool:
    """Whether the rows of a part were themselves chosen on, so that each fold of them is decided by the others."""
    path = run.model / "decision.json"
    return path.is_file() and part in read_json(path, schema="decision").get("crosswise", [])


def cross_fitted(context: RunContext, records: pd.DataFrame, *, bundle: ModelBundle, scores: Scores) -> pd.DataFrame:
    """Predictions of rows, each fold of groups decided by the other folds.

    Args:
        context: The run that the rows are from.
        records: The rows, labelled; a column ``fold`` without gaps gives the folds, else they are made of the groups.
        bundle: The model.
        scores: The network's logits and novelty of the rows.
    """
    config = context.config
    found = cross_fit_decisions(
        CalibrationRows.from_table(records, logits=scores.logits, positive=context.classes.positive),
        config=config.calibrate,
        threshold=config.evaluate.threshold,
        fold=records["fold"].to_numpy(np.intp) if "fold" in records and records["fold"].notna().all() else None,
        seed=config.fit.effective_seed,
    )

    def decided(places: npt.NDArray[np.intp], decision: Decision) -> pd.DataFrame:
        own = Scores(scores.logits[places], scores.novelty[places])
        return answer_rows(records.iloc[places], spec=replace(bundle.spec, decision=decision), scores=own)

    return found.apply(decided)


def out_of_fold(context: RunContext) -> pd.DataFrame:
    """The out-of-fold predictions as they are reported: each fold decided by what the other folds chose."""
    raw = read_table(context.run.out_of_fold, columns=(*PREDICTION_COLUMNS, "fold"))
    scores = Scores(raw["logit"].to_numpy(np.float64), np.full(len(raw), np.nan))
    return cross_fitted(context, raw, bundle=context.bundle, scores=scores).assign(fold=raw["fold"].to_numpy())


def _rows(context: RunContext, bundle: ModelBundle) -> ChoosingRows:
    """The rows of the run that may choose for a model."""

    def logits(rows: pd.DataFrame) -> FloatArray:
        return context.score(bundle, rows).logits

    run = context.run
    has_folds = context.config.split.folds and run.out_of_fold.is_file()
    return rows_to_choose_on(
        context.split_records,
        positive=context.classes.positive,
        score=logits,
        out_of_fold=read_table(run.out_of_fold, columns=PREDICTION_COLUMNS) if has_folds else None,
        members=len(bundle.classifier.members),
        least_groups=context.config.calibrate.least_groups,
        chose_checkpoint=str(bundle.training.get("monitor") or "").startswith("stop_"),
    )


def _novelty(context: RunContext) -> NoveltyScorer | None:
    """What the training frames look like."""
    train, held_out = novelty_rows(context.split_records)
    if len(train) < NEIGHBOURS or not len(held_out):
        context.say("novelty is not measured: there are too few training frames to learn from")
        return None
    return fit_novelty(
        context.frames(list(train["image_id"])),
        held_out=context.frames(list(held_out["image_id"])),
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
        f"{positive} is predicted from a probability of {point.threshold:.3g} ({point.policy}; {point.chosen_on})",
        f"not sure: {sure}",
    ]
