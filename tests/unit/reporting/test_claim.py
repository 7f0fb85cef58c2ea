"""The first sentence of the report: it claims no more than the evidence allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sonoproof.parts import Part
from sonoproof.reporting.page.claim import claim
from sonoproof.reporting.page.runfiles import PartFiles, RunFiles
from sonoproof.runfolder import RunFolder

PATIENTS, CLIPS = ["patient_id", "video"], ["video"]


def said(
    *, units: int = 100, n: int = 400, columns: list[str] | None = None, part: Part = Part.VAL, **more: Any
) -> str:
    cohort = {"inferred": {"group_columns": columns or []}, **more.get("cohort", {})}
    evaluation = more.get("evaluation", {"n": n, "n_units": units})
    return claim(
        RunFiles(
            RunFolder(Path("run")), {}, "", cohort, None, None, {}, None, None, more.get("model", {"classes": {}}),
            (PartFiles(part, evaluation, {}, None, {}, {}),),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ({"units": 9}, "figures say nothing about new patients: the frames come from nine independent sources."),
        ({"units": 1, "columns": PATIENTS}, "nothing about new patients: the frames come from one independent group."),
        ({"units": 400}, "nothing shows which frames belong together, so the split is by chance."),
        ({"units": 66}, "say nothing certain about new patients: the sheet names none"),
        ({"columns": PATIENTS}, "may be claimed for new patients like those measured, not for another clinic: "),
        ({"columns": PATIENTS}, "100 groups of frames with the same patient_id or video in the sheet that also gave"),
        ({"columns": PATIENTS, "units": 17}, "are a first indication for new patients"),
        ({"columns": CLIPS}, "new groups like those measured"),
        ({"columns": CLIPS}, "several of which may be of one patient"),
        ({"columns": PATIENTS, "part": Part.TEST, "cohort": {"test": {}}}, "patient_id or video in a test folder."),
        ({"columns": PATIENTS, "model": {"training": {"monitor": "val_loss"}}}, "too favourable for a claim"),
        ({"evaluation": {}}, "Nothing may be claimed"),
        ({"model": {}}, "Nothing was trained here"),
    ],
)  # fmt: skip
def test_the_claim_follows_from_the_evidence(evidence: dict[str, Any], sentence: str) -> None:
    found = said(**evidence)
    assert sentence in found
    assert found.count(". ") == 0
    assert found.endswith(".")


def test_only_another_source_lifts_the_limit_to_this_one() -> None:
    assert "not for another clinic" in said(columns=PATIENTS)
    assert "not for another clinic" in said(columns=PATIENTS, part=Part.TEST)
    assert "not for another clinic" not in said(columns=PATIENTS, part=Part.TEST, cohort={"test": {}})
