"""Model and frames to predictions of the parts that are reported on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sonoproof.inference.predict import answer_rows
from sonoproof.inference.prediction_files import write_answers
from sonoproof.parts import Part
from sonoproof.reporting.workbooks.challenge_sheet import write_challenge_sheet
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, write_table
from sonoproof.stages.calibrate import cross_fitted, is_cross_fitted, out_of_fold
from sonoproof.stages.context import RunContext
from sonoproof.training.bundle import ModelBundle


def predict(context: RunContext) -> list[Path]:
    """Model and frames to a table of predictions for each part that is reported on."""
    run, written = context.run, []
    for part, rows in context.reported_records.items():
        predictions = predict_part(context, part, rows, bundle=context.bundle, run=run)
        written += _write_predictions(run, part, predictions, rows)
        if part == Part.TEST and "test_twin" in rows and (rows["test_twin"] == "yes").any():
            alone = (rows["test_twin"] != "yes").to_numpy()
            written += _write_predictions(run, Part.TEST_WITHOUT_TWINS, predictions[alone], rows[alone])
    if context.config.split.folds and run.out_of_fold.is_file():
        write_table(run.predictions(Part.OOF), out_of_fold(context), columns=PREDICTION_COLUMNS)
        written.append(run.predictions(Part.OOF))
    return written


def predict_part(
    context: RunContext, part: Part, rows: pd.DataFrame, *, bundle: ModelBundle, run: RunFolder
) -> pd.DataFrame:
    """The prediction table of a part; rows that were chosen on are decided by the other folds of them.

    Args:
        context: The run that the rows are from.
        part: The part.
        rows: Its records.
        bundle: The model.
        run: The folder that holds the model and its decision.
    """
    scores = context.score(bundle, rows)
    if is_cross_fitted(run, part):
        return cross_fitted(context, rows.drop(columns="fold"), bundle=bundle, scores=scores)
    return answer_rows(rows, spec=bundle.spec, scores=scores)


def _write_predictions(run: RunFolder, part: Part, predictions: pd.DataFrame, rows: pd.DataFrame) -> list[Path]:
    path = run.predictions(part)
    write_table(path, predictions, columns=PREDICTION_COLUMNS)
    write_answers(predictions, path.with_suffix(".xlsx"))
    written = [path, path.with_suffix(".xlsx")]
    if part == Part.TEST and (rows["origin"] == "test").any():
        challenge = path.with_name("challenge.xlsx")
        write_challenge_sheet(challenge, predictions)
        written.append(challenge)
    return written
