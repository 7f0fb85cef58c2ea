"""Model and frames to predictions of the parts that are reported on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sonoproof.inference.predict import Scores, answer_rows, score_frames
from sonoproof.inference.prediction_files import write_answers
from sonoproof.reporting.workbooks.challenge_sheet import write_challenge_sheet
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, write_table
from sonoproof.stages.calibrate import cross_fitted, is_cross_fitted, out_of_fold
from sonoproof.stages.context import frames_of, records_and_split
from sonoproof.stages.job import Job
from sonoproof.training.bundle import ModelBundle, load_bundle
from sonoproof.training.model import resolve_device

__all__ = ["WITHOUT_TWINS", "answered", "predict", "reported_parts"]

# The part of the test rows that have no look-alike in the sheet, where some have one.
WITHOUT_TWINS = "test_without_twins"


def predict(job: Job) -> list[Path]:
    """Model and frames to a table of predictions for each part that is reported on."""
    table = records_and_split(job.run)
    load, _ = frames_of(job)
    bundle, device = load_bundle(job.run.model), resolve_device(job.config.model.device)
    written = []
    for part, rows in reported_parts(table).items():
        scores = score_frames(bundle, image_ids=list(rows["image_id"]), load=load, device=device, progress=job.progress)
        predictions = answered(job.run, part, rows, job=job, bundle=bundle, scores=scores)
        written += _write_predictions(job.run, part, predictions, rows)
        if part == "test" and "test_twin" in rows and (rows["test_twin"] == "yes").any():
            alone = (rows["test_twin"] != "yes").to_numpy()
            written += _write_predictions(job.run, WITHOUT_TWINS, predictions[alone], rows[alone])
    if job.config.split.folds and job.run.out_of_fold.is_file():
        write_table(job.run.predictions("oof"), out_of_fold(job), columns=PREDICTION_COLUMNS)
        written.append(job.run.predictions("oof"))
    return written


def answered(
    run: RunFolder, part: str, rows: pd.DataFrame, *, job: Job, bundle: ModelBundle, scores: Scores
) -> pd.DataFrame:
    """The prediction table of a part; rows that were chosen on are cross-fitted.

    Args:
        run: The folder that holds the model and its decision.
        part: Name of the part.
        rows: Its records.
        job: The job.
        bundle: The model.
        scores: What the network says of the rows.
    """
    if is_cross_fitted(run, part):
        return cross_fitted(job, rows.drop(columns="fold"), bundle=bundle, scores=scores)
    return answer_rows(rows, bundle=bundle, scores=scores)


def reported_parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each part that the saved model is reported on."""
    parts = {part: table[table["part"] == part] for part in ("val", "test")}
    return {part: rows for part, rows in parts.items() if len(rows)}


def _write_predictions(run: RunFolder, part: str, predictions: pd.DataFrame, rows: pd.DataFrame) -> list[Path]:
    path = run.predictions(part)
    write_table(path, predictions, columns=PREDICTION_COLUMNS)
    write_answers(predictions, path.with_suffix(".xlsx"))
    written = [path, path.with_suffix(".xlsx")]
    if part == "test" and (rows["origin"] == "test").any():
        challenge = path.with_name("challenge.xlsx")
        write_challenge_sheet(challenge, predictions)
        written.append(challenge)
    return written
