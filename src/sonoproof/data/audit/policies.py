"""What is done about conflicts: the settings decide, and the findings report what was done.

======================  =====================  ==============================================================
setting                 default                why
======================  =====================  ==============================================================
``duplicate_conflicts`` ``drop``               one of two labels of the same pixels is wrong, and nobody knows which
``mixed_groups``        ``group``              a source may show both (two ovaries, two days); one side is safe
``test_twins``          ``keep``               a test set is not ours to change; metrics are given with and without
``split_leaks``         ``drop``               the given test part is kept whole; what leaks is not learned from
======================  =====================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sonoproof.config import AuditConfig
from sonoproof.data.audit.duplicates import conflicting_duplicates
from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.sources import mixed_sources
from sonoproof.data.audit.split_leaks import find_leaks
from sonoproof.data.audit.twins import Twins, find_twins
from sonoproof.data.labels.givensplit import GIVEN_SPLIT
from sonoproof.runfolder import QUARANTINE_COLUMNS
from sonoproof.wording import counted, of_rows

LEAKS_NAMED = 3


@dataclass(frozen=True)
class PolicyOutcome:
    """What one policy found and does about it.

    Attributes:
        finding: What is reported.
        dropped: Reason for each row that is quarantined, by index label.
        blocks: What to do next, where the run is stopped; else empty.
    """

    finding: Finding
    dropped: dict[int, str]
    blocks: str


@dataclass(frozen=True)
class _Conflict:
    """A conflict in words.

    Attributes:
        id: Of the finding.
        title: Of the finding.
        stake: What was counted.
        done: What each policy but ``block`` does.
        remedy: What the reader should do.
        instead: Which other setting lets the run go on.
        numbers: The numbers behind it.
    """

    id: str
    title: str
    stake: str
    done: Mapping[str, str]
    remedy: str
    instead: str
    numbers: Mapping[str, Any]

    def decided(self, policy: str, *, reasons: dict[int, str]) -> PolicyOutcome:
        """What the policy does about it; `reasons` are those of the rows that ``drop`` leaves out."""
        stops = policy == "block"
        level, done = (Level.BLOCKING, "The run stops.") if stops else (Level.SERIOUS, self.done[policy])
        detail = f"{self.stake} {done} {self.remedy}"
        finding = Finding(self.id, level, self.title, detail, {**self.numbers, "policy": policy})
        blocks = f"{self.stake} {self.remedy} {self.instead}" if stops else ""
        return PolicyOutcome(finding, reasons if policy == "drop" else {}, blocks)


def apply_policies(
    records: pd.DataFrame, *, config: AuditConfig
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding], list[str]]:
    """Find the conflicts and resolve them as the settings ask.

    Args:
        records: `RECORD_COLUMNS`, with sources; ``sheet_row`` and ``reference`` go into the quarantine.
        config: The policies.

    Returns:
        The rows that stay (a new column ``test_twin`` is "yes" for test rows with a twin in the sheet), the rows
        quarantined (`QUARANTINE_COLUMNS`), the findings, and what blocks the run, one text each.
    """
    twins = find_twins(records)
    decided = (
        _on_duplicate_conflicts(records, config),
        _on_mixed_sources(records, config),
        _on_test_twins(records, twins, config),
        _on_given_split(records, config),
    )
    outcomes = [outcome for outcome in decided if outcome]
    dropped: dict[int, str] = {}
    for outcome in outcomes:
        for row, reason in outcome.dropped.items():
            dropped[row] = f"{dropped[row]}; {reason}" if row in dropped else reason
    marked = records.assign(test_twin=np.where(records.index.isin(twins.test), "yes", ""))
    kept = marked.drop(index=list(dropped)).reset_index(drop=True)
    blocks = [outcome.blocks for outcome in outcomes if outcome.blocks]
    return kept, _quarantine(records, dropped), [outcome.finding for outcome in outcomes], blocks


def _on_duplicate_conflicts(records: pd.DataFrame, config: AuditConfig) -> PolicyOutcome | None:
    sheet = records[records["origin"] == "sheet"]
    sets = conflicting_duplicates(sheet)
    if not sets:
        return None
    reasons = {row: _opposite_twin(sheet, members, row) for members in sets for row in members}
    conflict = _Conflict(
        id="duplicate-conflicts",
        title="Identical frames with opposite labels",
        stake=f"{of_rows(len(reasons), len(sheet))} are pixel-identical to a row with the opposite label.",
        done={
            "drop": "They were quarantined: one of the labels is wrong, and the pixels cannot tell which.",
            "keep": 'They were kept, as configured (audit.duplicate_conflicts = "keep").',
        },
        remedy="Find out which label is right and correct the sheet.",
        instead="Or set audit.duplicate_conflicts=drop to leave them out.",
        numbers={"rows": len(reasons), "of": len(sheet), "sets": len(sets)},
    )
    return conflict.decided(config.duplicate_conflicts, reasons=reasons)


def _on_mixed_sources(records: pd.DataFrame, config: AuditConfig) -> PolicyOutcome | None:
    sheet = records[records["origin"] == "sheet"]
    rows = mixed_sources(sheet)
    if not len(rows):
        return None
    minority, sources = _minority(rows), int(rows["source"].nunique())
    counts = {"rows": len(rows), "of": len(sheet), "share_at_stake": len(rows) / len(sheet)}
    conflict = _Conflict(
        id="mixed-sources",
        title="Views of one source carry both labels",
        stake=f"{of_rows(len(rows), len(sheet))} belong to {counted(sources, 'source')} whose views carry both labels; "
        f"{minority:,} of them are in the minority of their source.",
        done={
            "group": "Each such source was kept together on one side of the split.",
            "drop": 'They were quarantined, as configured (audit.mixed_groups = "drop").',
        },
        remedy="Look at the pictures of these sources and correct the labels that are wrong.",
        instead="Or set audit.mixed_groups=group to keep each source together on one side.",
        numbers={**counts, "sources": sources, "minority_rows": minority},
    )
    reasons = dict.fromkeys(rows.index.tolist(), "views of its source carry both labels")
    return conflict.decided(config.mixed_groups, reasons=reasons)


def _on_test_twins(records: pd.DataFrame, twins: Twins, config: AuditConfig) -> PolicyOutcome | None:
    if not twins.test:
        return None
    of_test = int((records["origin"] == "test").sum())
    opposite = f"; {len(twins.opposite):,} carry a label that none of their twins has" if twins.opposite else ""
    in_sheet = of_rows(len(twins.sheet), len(records) - of_test)
    counts = {"test_frames": len(twins.test), "of": of_test, "identical": len(twins.identical)}
    conflict = _Conflict(
        id="test-twins",
        title="Test frames have twins in the sheet",
        stake=f"{of_rows(len(twins.test), of_test, things='test frames')} show a source that is also in the sheet, "
        f"{len(twins.identical):,} of them pixel by pixel{opposite}.",
        done={
            "keep": "Read the metrics of the test set with and without them (column test_twin of records.csv).",
            "drop": f"Their twins, {in_sheet} of the sheet, were quarantined, so that nothing is trained on them.",
        },
        remedy="A model that has seen a frame's twin is not tested by that frame.",
        instead="Set audit.test_twins=drop to leave the twins out of training, or keep to have both kinds of metrics.",
        numbers={**counts, "opposite_labels": len(twins.opposite), "sheet_rows": len(twins.sheet)},
    )
    reasons = dict.fromkeys(twins.sheet, "a view of the same source is in the test folder")
    return conflict.decided(config.test_twins, reasons=reasons)


def _on_given_split(records: pd.DataFrame, config: AuditConfig) -> PolicyOutcome | None:
    if GIVEN_SPLIT not in records:
        return None
    sheet = records[records[GIVEN_SPLIT] != ""]
    leaks = find_leaks(sheet)
    sides = counted(sheet[GIVEN_SPLIT].nunique(), "part")
    if not leaks.groups:
        detail = f"The {counted(len(sheet), 'row')} are in {sides}, and no group of frames is in two of them."
        return PolicyOutcome(Finding("given-split", Level.INFO, "The split of the sheet is used", detail), {}, "")
    examples = "; ".join(f"{name} in {' and '.join(parts)}" for name, parts in list(leaks.groups.items())[:LEAKS_NAMED])
    are = "is" if len(leaks.groups) == 1 else "are"
    conflict = _Conflict(
        id="given-split-leaks",
        title="The split of the sheet leaks",
        stake=f"{counted(len(leaks.groups), 'group')} of frames that belong together (a patient, a clip, a source or "
        f"equal pixels) {are} in several of the {sides} that the sheet gives: {examples}.",
        done={
            "drop": f"{of_rows(len(leaks.outside), len(sheet))} were quarantined, so that each group is in one part: in"
            " the test part if it has frames there, else in the validation part."
        },
        remedy="Correct the split in the sheet, or leave --split-column out so that Sonoproof makes one.",
        instead="Or set audit.split_leaks=drop to leave out what leaks.",
        numbers={"groups": len(leaks.groups), "rows": len(leaks.outside), "of": len(sheet)},
    )
    return conflict.decided(config.split_leaks, reasons=leaks.outside)


def _minority(rows: pd.DataFrame) -> int:
    counts = rows.groupby(["source", "label"]).size().groupby("source")
    return int((counts.sum() - counts.max()).sum())


def _opposite_twin(records: pd.DataFrame, members: list[int], row: int) -> str:
    labels = records.loc[members, "label"]
    other = next(member for member in members if labels[member] not in (labels[row], ""))
    return f"pixel-identical to a frame with the opposite label: {records['image_id'][other]}"


def _quarantine(records: pd.DataFrame, dropped: dict[int, str]) -> pd.DataFrame:
    rows = records.loc[list(dropped)]
    table = pd.DataFrame({column: rows.get(column, "") for column in QUARANTINE_COLUMNS}, index=rows.index)
    if "reference" not in rows:
        table["reference"] = rows["image_id"]
    table["reason"] = pd.Series(dropped, dtype="str")
    table["value"] = rows["label"]
    return table.reset_index(drop=True)
