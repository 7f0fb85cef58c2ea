"""What ``sonoproof compare`` prints: differences between runs with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sonoproof.config import load_config
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.compare import Comparison, Difference, compare
from sonoproof.evaluation.labelled import Classes
from sonoproof.reporting.tables import metric_label
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table

__all__ = ["comparison_lines"]


def comparison_lines(folders: Sequence[Path], *, part: str) -> list[str]:
    """Compare the predictions of runs on one part.

    Args:
        folders: Two or more run folders that predicted the same rows.
        part: ``val``, ``test`` or ``oof``.

    Raises:
        RunFolderError: There are fewer than two runs, their classes differ, or their rows do.
    """
    if len(folders) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise RunFolderError("compare takes two or more different run folders")
    runs = {str(folder): RunFolder(folder) for folder in folders}
    first = next(iter(runs.values()))
    classes = [read_json(run.cohort, schema="cohort")["classes"] for run in runs.values()]
    if any(names != classes[0] for names in classes):
        raise RunFolderError("the runs do not have the same classes, so their predictions cannot be compared")
    found = compare(
        {name: read_table(run.predictions(part), columns=PREDICTION_COLUMNS) for name, run in runs.items()},
        classes=Classes(negative=classes[0]["negative"], positive=classes[0]["positive"]),
        config=load_config(first.config).evaluate,
    )
    return _lines(found, part=part)


def _lines(found: Comparison, *, part: str) -> list[str]:
    lines = [
        f"{part}: {found.n:,} rows, {found.n_units:,} groups resampled in pairs; positive class {found.positive_class}",
        f"p adjusted: {found.adjustment}",
    ]
    pairs = dict.fromkeys((difference.first, difference.second) for difference in found.differences)
    for pair in pairs:
        lines += ["", f"{pair[0]} less {pair[1]}"]
        for difference in found.differences:
            if (difference.first, difference.second) == pair:
                lines.append(_line(difference))
    return lines


def _line(difference: Difference) -> str:
    test, name = difference.test, metric_label(difference.metric)
    if test.reason:
        return f"  {name:40s} {test.difference:+.3f} (no interval: {test.reason})"
    limits = f"({test.low:+.3f} to {test.high:+.3f})"
    return f"  {name:40s} {test.difference:+.3f} {limits}  p {test.p:.3f}, adjusted {difference.p_holm:.3f}"
