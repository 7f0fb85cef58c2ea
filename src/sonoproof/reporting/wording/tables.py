"""The tables of a run as rows of text: for the page, for the terminal and for LaTeX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.parts import Part
from sonoproof.reporting.wording.text import UNDEFINED, format_number, visible_text
from sonoproof.types import Json

# What the rows of a part are used for, by the column ``use`` of split.csv.
USES = {"train": "for training", "stop": "for choosing the checkpoint", "report": "for reporting"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def format_interval(estimate: Json | None, *, decimals: int = 3) -> str:
    """A value with its interval, ``"0.912 (0.850–0.950)"``; ``"undefined"`` where it was not computed.

    Args:
        estimate: ``value``, ``low`` and ``high``, each a number or None; None where the metric is missing.
        decimals: Decimals of all three.
    """
    value = None if estimate is None else estimate.get("value")
    if estimate is None or value is None:
        return UNDEFINED
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return f"{format_number(value, decimals=decimals)} (no interval)"
    joint = " to " if min(low, high) < 0 else "–"  # a dash before a minus sign would be misread
    bounds = joint.join(format_number(end, decimals=decimals) for end in (low, high))
    return f"{format_number(value, decimals=decimals)} ({bounds})"


def reason_counts(reasons: Iterable[str]) -> dict[str, int]:
    """How many rows each kind of reason applies to, the most frequent first."""
    return dict(Counter(map(reason_kind, reasons)).most_common())


def reason_kind(reason: str) -> str:
    """The kind of a reason: what is particular to a row follows a colon."""
    return reason.partition(": ")[0]


def metric_names(evaluation: Json) -> list[str]:
    """Keys of the metrics in an evaluation: those of the catalogue in its order, then any others as they come."""
    present = [key for key, entry in evaluation.items() if isinstance(entry, Mapping) and "value" in entry]
    return [key for key in METRICS if key in present] + [key for key in present if key not in METRICS]


def metric_label(name: str) -> str:
    """What readers call a metric."""
    return METRICS[name].label if name in METRICS else name.replace("_", " ").capitalize()


def metrics_rows(evaluation: Json, *, decimals: int = 3) -> list[tuple[str, str]]:
    """Label and formatted value of every metric of an evaluation, with the reason where one is undefined."""
    reasons = evaluation.get("undefined") or {}
    rows = []
    for name in metric_names(evaluation):
        text = format_interval(evaluation[name], decimals=decimals)
        if text == UNDEFINED and name in reasons:
            text = f"{UNDEFINED}: {reasons[name]}"
        rows.append((metric_label(name), text))
    return rows


def metrics_table(evaluations: Mapping[str, Json]) -> list[tuple[str, list[str]]]:
    """One row per metric, one column per part; a metric that a part does not have is a dash."""
    columns = [dict(metrics_rows(evaluation)) for evaluation in evaluations.values()]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    return [(label, [column.get(label, "–") for column in columns]) for label in labels]


def seeds_table(seeds: Json, *, part: str) -> list[tuple[str, ...]]:
    """Header, then one row per metric: mean, SD and range across the seeds, then the value of each seed.

    Args:
        seeds: Content of ``evaluation/seeds.json``.
        part: ``val`` or ``test``.
    """
    header = ("Metric", "Mean", "SD", "Lowest", "Highest", *(f"Seed {seed}" for seed in seeds["seeds"]))
    rows = [
        (
            metric_label(name),
            *(format_number(found[key]) for key in ("mean", "sd", "lowest", "highest")),
            *(format_number(value) for value in found["values"]),
        )
        for name, found in seeds["parts"][part]["metrics"].items()
    ]
    return [header, *rows]


def metrics_latex(evaluations: Mapping[str, Json]) -> str:
    """The table of metrics as a LaTeX ``tabular`` (needs the package booktabs).

    Args:
        evaluations: Evaluation of each part, by the part's name.

    Returns:
        The table; class names and reasons are escaped.
    """
    parts = [_latex(Part(part).title) for part in evaluations]
    lines = [rf"\begin{{tabular}}{{l{'l' * len(parts)}}}", r"\toprule", _latex_row(["Metric", *parts]), r"\midrule"]
    counts = [f"{entry.get('n', '–')} ({entry.get('n_positive', '–')})" for entry in evaluations.values()]
    lines.append(_latex_row([f"Rows (of these, {_positive_class(evaluations)})", *counts]))
    lines += [_latex_row([_latex(label), *map(_latex, cells)]) for label, cells in metrics_table(evaluations)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _positive_class(evaluations: Mapping[str, Json]) -> str:
    names = {str(entry.get("positive_class", "positive")) for entry in evaluations.values()}
    return _latex("/".join(sorted(names)) or "positive")


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(character, character) for character in visible_text(text))
    return escaped.replace("–", "--")
