"""What ``sonoproof compare`` prints: differences between runs with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig, load_config
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.measures.compare import Comparison, Difference, compare
from sonoproof.reporting.wording.tables import metric_label
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table


def comparison_lines(folders: Sequence[Path], *, part: str) -> list[str]:
    """Compare the predictions of runs on one part.

    Args:
        folders: Two or more run folders that predicted the same rows.
        part: ``val``, ``test`` or ``oof``.

    Raises:
        RunFolderError: There are fewer than two runs, their classes differ, or their rows do.
    """
    if len(folders) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise RunFolderError("compare needs two or more different run folders")
    runs = {str(folder): RunFolder(folder).existing() for folder in folders}
    first = next(iter(runs.values()))
    classes = {Classes.from_dict(read_json(run.cohort, schema="cohort")["classes"]) for run in runs.values()}
    if len(classes) > 1:
        raise RunFolderError("the runs do not have the same classes, so their predictions cannot be compared")
    config = load_config(first.config).evaluate
    found = compare(
        {name: read_table(run.predictions(part), columns=PREDICTION_COLUMNS) for name, run in runs.items()},
        classes=classes.pop(),
        config=config,
    )
    return difference_lines(found, title=part, config=config)


def difference_lines(found: Comparison, *, title: str, config: EvaluateConfig) -> list[str]:
    """A comparison as lines of text.

    Args:
        found: The comparison.
        title: What was compared.
        config: Its level and resamples.
    """
    lines = [
        f"{title}: {found.n:,} rows of {found.n_units:,} groups; positive class {found.positive_class}",
        f"paired cluster bootstrap: {config.resamples:,} resamples of whole groups, the same ones for both; "
        f"{config.confidence:.0%} confidence intervals",
        f"adjustment of p: {found.adjustment}",
    ]
    if found.why_no_delong:
        lines.append(f"DeLong's test is left out, as it takes rows as independent: {found.why_no_delong}")
    pairs = dict.fromkeys((difference.first, difference.second) for difference in found.differences)
    for pair in pairs:
        lines += ["", f"{pair[0]} minus {pair[1]}"]
        for difference in found.differences:
            if (difference.first, difference.second) == pair:
                lines.append(_line(difference))
        if pair in found.delong:
            lines.append(_line(Difference(*pair, "auc", found.delong[pair], found.delong[pair].p), by=", DeLong"))
    return lines


def _line(difference: Difference, *, by: str = "") -> str:
    test, name = difference.test, metric_label(difference.metric) + by
    if math.isnan(test.difference):
        return f"  {name:40s} undefined: {test.reason}"
    if test.reason:
        return f"  {name:40s} {test.difference:+.3f} (no interval: {test.reason})"
    limits = f"({test.low:+.3f} to {test.high:+.3f})"
    adjusted = "" if by else f", adjusted {difference.p_holm:.3f}"
    return f"  {name:40s} {test.difference:+.3f} {limits}  p {test.p:.3f}{adjusted}"
