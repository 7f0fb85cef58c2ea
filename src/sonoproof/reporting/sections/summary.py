"""Section "Summary": the gap first where it was measured, then the headline numbers."""

from __future__ import annotations

from sonoproof.reporting.figures.curves import honest_against_naive
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, KeyFigures, Notice, Prose, Section, Tile
from sonoproof.reporting.page.evidence import Evidence, PartEvidence
from sonoproof.reporting.sections.audit import Gap, measured_gap
from sonoproof.reporting.sections.performance import evaluation_source
from sonoproof.reporting.sections.survey import survey_alarms
from sonoproof.reporting.wording.tables import PART_NAMES, format_interval, metric_label
from sonoproof.reporting.wording.text import format_count, format_number
from sonoproof.wording import counted

__all__ = ["summary_section"]

_HEADLINES = ("auc", "recall", "specificity", "precision", "accuracy", "loss")


def summary_section(evidence: Evidence, easel: FigureWriter) -> Section:
    """What was asked, and the answer in numbers."""
    blocks: list[Block] = [Prose(_question(evidence))]
    gap = measured_gap(evidence.audit)
    if gap is not None:
        blocks += _opening(gap, easel)
    blocks += [_headlines(part, evidence) for part in evidence.evaluated]
    if not evidence.evaluated:
        blocks.append(Notice("Nothing was evaluated: there are no headline numbers."))
    blocks += _outdone(evidence, gap)
    blocks += _alarms(evidence)
    blocks += [alarm for part in evidence.parts for alarm in survey_alarms(part)]
    return Section("summary", "Summary", tuple(blocks))


def _question(evidence: Evidence) -> str:
    negative, positive = evidence.class_names
    asked = f"Can a frame labelled “{positive}” be told from one labelled “{negative}”?"
    used = evidence.cohort.get("rows_used")
    answer = f" A classifier was trained and measured on {counted(int(used), 'frame')}." if used is not None else ""
    return asked + answer


def _opening(gap: Gap, easel: FigureWriter) -> list[Block]:
    metric = metric_label(gap.metric)
    naive, honest = gap.naive.get("value"), gap.honest.get("value")
    if naive is None or honest is None:
        return []
    sentence = (
        f"{metric} of {gap.classifier}: a random split of these frames gives {format_interval(gap.naive)}; keeping "
        f"every source on one side gives {format_interval(gap.honest)}. {_gap_sentence(naive - honest)}"
    )
    rows = [
        (name, float(entry["value"]), entry.get("low"), entry.get("high"))
        for name, entry in (("Random split", gap.naive), ("Grouped by source", gap.honest))
    ]
    figure = honest_against_naive(rows, metric=metric)
    caption = "One classifier, cross-validated at random and by source."
    picture = easel.vector(figure, name="gap", caption=caption, alt=sentence, sources=("audit.json",))
    return [Prose(sentence), Gallery((picture,), wide=True)]


def _outdone(evidence: Evidence, gap: Gap | None) -> list[Block]:
    """A network that does no better than the audit's cheap classifier is not worth its trouble yet."""
    if gap is None or gap.metric != "auc" or gap.honest.get("value") is None:
        return []
    outdone = [
        f"{PART_NAMES[part.name]} {format_interval(part.evaluation['auc'])}"
        for part in evidence.evaluated
        if (part.evaluation.get("auc") or {}).get("value") is not None
        and part.evaluation["auc"]["value"] < gap.honest["value"]
    ]
    if not outdone:
        return []
    sentence = (
        f"The network ranks no better than {gap.classifier} does by source (AUC {format_interval(gap.honest)}): "
        f"{'; '.join(outdone)}. It has learned too little: more patients, pretrained weights or longer "
        "training may help."
    )
    return [Notice(sentence, level="warning")]


def _gap_sentence(difference: float) -> str:
    if difference <= 0:
        return "Here a random split would not have flattered it."
    return (
        f"The difference, {format_number(difference)}, is what a random split would have credited to it for "
        "knowing the sources."
    )


def _headlines(part: PartEvidence, evidence: Evidence) -> KeyFigures:
    evaluation = part.evaluation
    tiles = tuple(_tile(name, evaluation[name]) for name in _HEADLINES if isinstance(evaluation.get(name), dict))
    counts = f"{format_count(evaluation.get('n'))} frames, {format_count(evaluation.get('n_positive'))} of them"
    title = f"{PART_NAMES[part.name]}: {counts} {evidence.class_names[1]}"
    return KeyFigures(title, tiles, sources=(evaluation_source(part),))


def _tile(name: str, estimate: dict[str, float | None]) -> Tile:
    short = {"auc": "AUC", "recall": "Recall", "loss": "Loss"}.get(name, name.capitalize())
    value, _, interval = format_interval(estimate).partition(" ")
    return Tile(short, value, interval.strip("()"))


def _alarms(evidence: Evidence) -> list[Block]:
    grave = [entry for entry in evidence.audit.get("findings") or [] if entry.get("level") in ("serious", "blocking")]
    return [
        Notice(f"The audit found ({entry['level']}): {entry.get('title', '')}.", level="warning") for entry in grave
    ]
