"""Whether the predictions are of the rows that they claim: against records, split, model, and their own workbooks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sonoproof.inference.prediction_files import write_answers
from sonoproof.parts import REPORTED
from sonoproof.reporting.workbooks.challenge_sheet import write_challenge_sheet
from sonoproof.runfolder import PREDICTION_COLUMNS, RECORD_COLUMNS, SPLIT_COLUMNS, RunFolder, read_json, read_table
from sonoproof.training.verdict import Decision
from sonoproof.verification.files import differing_places

_OF_THE_RECORD = ("path", "group", "source", "label")
_SHOWN = 3
_SAME_PROBABILITY = 1e-9


def prediction_differences(run: RunFolder, *, work: Path, sentences: bool = True) -> dict[str, list[str]]:
    """Where tables of predictions contradict the other files of the run, by file.

    Args:
        run: The run.
        work: An empty folder to write in.
        sentences: Whether texts of several words in the workbooks are compared; another version may word them
            differently.

    Raises:
        RunFolderError: A table or the model's description is damaged.
    """
    trainings = [run, *(RunFolder(folder) for folder in sorted(run.seeds_folder.glob("*")))]
    tables = [(path, of) for of in trainings for path in sorted(of.predictions("val").parent.glob("*.csv"))]
    split = read_table(run.split, columns=SPLIT_COLUMNS)
    records = read_table(run.records, columns=RECORD_COLUMNS).set_index("image_id", drop=False)
    found = {}
    for path, of in tables:
        table = read_table(path, columns=PREDICTION_COLUMNS)
        found[run.relative(path)] = [
            *_against_records(table, records),
            *_against_split(table, split, part=path.stem),
            *_against_decision(table, of, part=path.stem),
        ]
        found |= _workbooks(table, path, run=run, work=work, sentences=sentences)
    return found


def _against_records(table: pd.DataFrame, records: pd.DataFrame) -> list[str]:
    known = table["image_id"].isin(records.index)
    found = [_named("is in no record", table.loc[~known, "image_id"])]
    rows = table[known]
    if not rows["image_id"].is_unique:
        return [*found, _named("is listed more than once", rows.loc[rows["image_id"].duplicated(), "image_id"])]
    matched = records.loc[rows["image_id"]]
    for column in _OF_THE_RECORD:
        other = rows[column].to_numpy() != matched[column].to_numpy()
        found.append(_named(f"has a {column} that differs from records.csv", rows.loc[other, "image_id"]))
    return [line for line in found if line]


def _against_split(table: pd.DataFrame, split: pd.DataFrame, *, part: str) -> list[str]:
    if part not in REPORTED:
        return []
    expected, present = set(split.loc[split["part"] == part, "image_id"]), set(table["image_id"])
    lines = (
        _named(f"is not in the part {part} of split.csv", sorted(present - expected)),
        _named(f"is in the part {part} of split.csv and was not predicted", sorted(expected - present)),
    )
    return [line for line in lines if line]


def _against_decision(table: pd.DataFrame, run: RunFolder, *, part: str) -> list[str]:
    """Rows whose probability or call is not what the saved decision makes of the network's logit."""
    names, chosen = read_json(run.model / "model.json", schema="model")["classes"], _decision(run)
    decision = Decision.from_dict(chosen)
    # Where each fold was decided by the others, the rows carry their own decision.
    own = part == "oof" or part in chosen.get("crosswise", [])
    probability = table["probability"].to_numpy(np.float64)
    threshold: Any = table["threshold"] if own and "threshold" in table else decision.operating_point.threshold
    called = np.where(probability >= threshold, names["positive"], names["negative"])
    decided = table["predicted"].isin([names["positive"], names["negative"]])
    wrong = decided & (table["predicted"] != called)
    said = "its own threshold" if own else f"the threshold {threshold:g}"
    lines = [_named(f"is not predicted as its probability and {said} require", table.loc[wrong, "image_id"])]
    if not own:
        off = np.abs(decision.probability(table["logit"]) - probability) > _SAME_PROBABILITY
        lines.append(
            _named(
                "has a probability that does not follow from its logit and the calibration", table.loc[off, "image_id"]
            )
        )
    return [line for line in lines if line]


def _decision(run: RunFolder) -> dict[str, Any]:
    path = run.model / "decision.json"
    return read_json(path, schema="decision") if path.is_file() else dataclasses.asdict(Decision())


def _workbooks(table: pd.DataFrame, path: Path, *, run: RunFolder, work: Path, sentences: bool) -> dict[str, list[str]]:
    """The sheets made from the same table, each against what the table gives."""
    found = {}
    workbook = path.with_suffix(".xlsx")
    if workbook.is_file():
        write_answers(table, work / workbook.name)
        found[run.relative(workbook)] = differing_places(workbook, work / workbook.name, sentences=sentences)
    challenge = path.with_name("challenge.xlsx")
    if path.stem == "test" and challenge.is_file():
        write_challenge_sheet(work / challenge.name, table)
        found[run.relative(challenge)] = differing_places(challenge, work / challenge.name, sentences=sentences)
    return found


def _named(fault: str, image_ids: object) -> str:
    names = [str(name) for name in image_ids]  # type: ignore[attr-defined]
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}: {fault}"
