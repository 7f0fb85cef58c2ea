"""Section "Summary": what may be claimed, then the measured gap, if there is one, and the headline numbers."""

from __future__ import annotations

from sonoproof.reporting.figures.curves import honest_against_naive
from sonoproof.reporting.figures.figure_writer import FigureWriter
from sonoproof.reporting.page.blocks import Block, Gallery, Headline, KeyFigures, Notice, Prose, Section
from sonoproof.reporting.page.claim import claim
from sonoproof.reporting.page.gap import SplitGap, measured_gap
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.reporting.sections.survey import survey_alarms
from sonoproof.reporting.wording.tables import format_interval, metric_label
from sonoproof.reporting.wording.text import format_count, format_number
from sonoproof.types import Json
from sonoproof.wording import counted

_HEADLINES = ("auc", "recall", "specificity", "precision", "accuracy", "loss")


def summary_section(files: RunFiles, writer: FigureWriter) -> Section:
    """What was asked, and the answer in numbers."""
    gap = measured_gap(files.audit)
    blocks: list[Block] = [Prose(claim(files)), Prose(_question(files)), *(_opening(gap, writer) if gap else [])]
    blocks += [_headlines(part, files.class_names[1]) for part in files.evaluated]
    if not files.evaluated:
        blocks.append(Notice("Nothing was evaluated: there are no headline numbers."))
    blocks += [*_outdone(files, gap), *_alarms(files)]
    blocks += [alarm for part in files.parts for alarm in survey_alarms(part)]
    return Section("summary", "Summary", tuple(blocks))


def _question(files: RunFiles) -> str:
    negative, positive = files.class_names
    asked = f"Can a frame labelled “{positive}” be told apart from one labelled “{negative}”?"
    used = files.cohort.get("rows_used")
    return asked + (f" A classifier was trained and evaluated on {counted(int(used), 'frame')}." if used else "")


def _opening(gap: SplitGap, writer: FigureWriter) -> list[Block]:
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
    caption = "The same classifier, cross-validated at random and by source."
    picture = writer.vector(figure, name="gap", caption=caption, alt=sentence, sources=("audit.json",))
    return [Prose(sentence), Gallery((picture,), wide=True)]


def _gap_sentence(difference: float) -> str:
    if difference <= 0:
        return "Here a random split would not have inflated the result."
    return (
        f"The difference, {format_number(difference)}, is what a random split would have wrongly credited to it for "
        "recognising the sources."
    )


def _outdone(files: RunFiles, gap: SplitGap | None) -> list[Block]:
    """A network that does no better than the audit's cheap classifier is not worth its trouble yet."""
    if gap is None or gap.metric != "auc" or gap.honest.get("value") is None:
        return []
    outdone = [
        f"{part.title} {format_interval(part.evaluation['auc'])}"
        for part in files.evaluated
        if (part.evaluation.get("auc") or {}).get("value") is not None
        and part.evaluation["auc"]["value"] < gap.honest["value"]
    ]
    if not outdone:
        return []
    sentence = (
        f"The network ranks frames no better than {gap.classifier}, which reaches an AUC of "
        f"{format_interval(gap.honest)} with every source kept on one side: {'; '.join(outdone)}. It has learned too "
        "little: more patients, pretrained weights or longer training may help."
    )
    return [Notice(sentence, level="warning")]


def _headlines(part: PartFiles, positive: str) -> KeyFigures:
    evaluation = part.evaluation
    headlines = tuple(
        _headline(name, evaluation[name]) for name in _HEADLINES if isinstance(evaluation.get(name), dict)
    )
    counts = f"{format_count(evaluation.get('n'))} frames, {format_count(evaluation.get('n_positive'))} of them"
    return KeyFigures(f"{part.title}: {counts} {positive}", headlines, sources=(part.evaluation_file,))


def _headline(name: str, estimate: Json) -> Headline:
    short = "AUC" if name == "auc" else name.capitalize()
    value, _, interval = format_interval(estimate).partition(" ")
    return Headline(short, value, interval.strip("()"))


def _alarms(files: RunFiles) -> list[Block]:
    grave = [finding for finding in files.findings if finding.get("level") in ("serious", "blocking")]
    return [
        Notice(f"Audit finding ({finding['level']}): {finding.get('title', '')}.", level="warning") for finding in grave
    ]
