"""Random label sheets whose truth is known: how many rows are used with a wrong label or file, and how often it asks.

Run ``python benchmarks/random_sheets.py --sheets 10000 --seed 0``. Each sheet has up to four traps of
`benchmarks.sheets.draw.TRAPS`: unknown labels, invisible characters, near misses of file names, number formats, …
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sheets.draw import Drawn, Row, draw_sheet
from benchmarks.sheets.writers import write_sheet

from sonoproof.data.cohort.cohort import Cohort, build_cohort
from sonoproof.errors import SonoproofError

PROGRESS_SHEETS = 500


@dataclass
class Tally:
    """What came of the sheets.

    Attributes:
        sheets: Sheets read.
        used: Rows used.
        quarantined: Rows quarantined.
        wrong: What was wrong, one line for each row.
        asked: Sheets that ended with a question or an error.
        asked_without_trap: Those of them that had no trap.
        without_trap: Sheets that had none.
        questions: Beginnings of the messages -> how many.
    """

    sheets: int = 0
    used: int = 0
    quarantined: int = 0
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    asked_without_trap: int = 0
    without_trap: int = 0
    questions: Counter[str] = field(default_factory=Counter)


def try_sheets(sheets: int, *, seed: int, progress: Callable[[Tally], None] = lambda _: None) -> Tally:
    """Draw sheets, read them, and compare each row used with the truth.

    Args:
        sheets: How many.
        seed: The same seed gives the same sheets.
        progress: Called after each sheet.
    """
    tally = Tally()
    for number in range(sheets):
        drawn = draw_sheet(np.random.default_rng([seed, number]))
        with tempfile.TemporaryDirectory() as folder:
            _try_one(tally, drawn, Path(folder), number=number)
        progress(tally)
    return tally


def _try_one(tally: Tally, drawn: Drawn, folder: Path, *, number: int) -> None:
    frames = folder / "frames"
    for name in drawn.files:
        (frames / name).parent.mkdir(parents=True, exist_ok=True)
        (frames / name).touch()
    path = folder / f"labels{drawn.suffix}"
    write_sheet(path, drawn.table, encoding=drawn.encoding)
    tally.sheets += 1
    tally.without_trap += not drawn.traps
    try:
        cohort = build_cohort(path, images=frames, config=drawn.config)
    except SonoproofError as error:
        tally.asked += 1
        tally.asked_without_trap += not drawn.traps
        tally.questions[str(error).replace(str(folder), "")[:70] + ("" if drawn.traps else " (no trap)")] += 1
        return
    tally.used += len(cohort.records)
    tally.quarantined += len(cohort.quarantine)
    tally.wrong += [f"sheet {number} ({drawn.suffix}, {drawn.traps}): {what}" for what in find_wrong(cohort, drawn)]


def find_wrong(cohort: Cohort, drawn: Drawn) -> list[str]:
    """The rows that are used with a wrong file, label or patient."""
    wrong = []
    groups: dict[str, set[str]] = {}
    for record in cohort.records.itertuples():
        truth = drawn.truth.get(int(str(record.sheet_row)), Row((), None, ""))
        if record.image_id not in truth.files:
            wrong.append(f"row {record.sheet_row}: file {record.image_id!r}, not {truth.files}")
        if truth.positive is None or (record.label == cohort.classes.positive) != truth.positive:
            wrong.append(f"row {record.sheet_row}: label {record.label!r}, {truth.positive} is true")
        if "patient_id" in cohort.group_columns:
            groups.setdefault(truth.patient, set()).add(str(record.patient_id))
    wrong += [f"patient {patient!r} is in groups {names}" for patient, names in groups.items() if len(names) > 1]
    return wrong


def main() -> None:
    """Print what came of the sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    show(try_sheets(given.sheets, seed=given.seed, progress=_show_sometimes))


def show(tally: Tally) -> None:
    """Print what came of the sheets."""
    print(f"{tally.sheets} sheets: {tally.used} rows used, {tally.quarantined} quarantined, {len(tally.wrong)} wrong")
    print(f"{tally.asked} sheets asked; of {tally.without_trap} without a trap {tally.asked_without_trap} asked")
    for question, count in tally.questions.most_common(12):
        print(f"  {count:5d} {question}")
    for line in tally.wrong[:20]:
        print(f"wrong: {line}")


def _show_sometimes(tally: Tally) -> None:
    if tally.sheets % PROGRESS_SHEETS == 0:
        show(tally)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
