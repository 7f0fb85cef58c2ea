"""Pictures of the audit and the review workbook, as their readers meet them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import openpyxl
import pandas as pd
import pytest
from PIL import Image

from sonoproof.classes import Classes
from sonoproof.config import AuditConfig, SheetConfig
from sonoproof.data.audit import AuditOutcome
from sonoproof.data.audit.findings import Finding, Level
from sonoproof.data.audit.material import Material
from sonoproof.data.audit.policies import apply_policies
from sonoproof.data.cohort.relabel import apply_review
from sonoproof.data.labels.quarantine import empty_quarantine
from sonoproof.data.lookalike import Link, LookalikeResult
from sonoproof.reporting.figures.audit_pictures import draw_audit
from sonoproof.reporting.figures.contact_sheet import thumbnail
from sonoproof.reporting.workbooks.review_workbook import write_review_workbook

Rgb = npt.NDArray[np.uint8]
NAMES = ("a.png", "b.png", "c.png", "test:d.png")
MIRROR = ((-1.0, 0.0, 59.0), (0.0, 1.0, 0.0))


def picture(name: str) -> Rgb:
    """One source; a and b are the same pixels, c is their mirror image."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return np.ascontiguousarray(pixels[:, ::-1]) if name == "c.png" else pixels


@pytest.fixture
def outcome() -> AuditOutcome:
    records = pd.DataFrame(
        {
            "image_id": NAMES,
            "path": NAMES,
            "origin": ["sheet", "sheet", "sheet", "test"],
            "label": ["healthy", "unhealthy", "unhealthy", ""],
            "group": "g1",
            "source": "a.png",
            "sha256": NAMES,
            "pixel_sha256": ["1", "1", "2", "3"],
            "width": 60,
            "height": 40,
        }
    )
    links = (
        Link("c.png", "a.png", MIRROR, True, False, 40, 1.0, 0.98, 0.9),
        Link("test:d.png", "c.png", MIRROR, True, False, 40, 1.0, 0.97, 0.9),
    )
    found = LookalikeResult(links, (), dict.fromkeys(NAMES, "a.png"), 2)
    kept, dropped, findings, _ = apply_policies(records, config=AuditConfig())
    material = Material(
        records, pd.DataFrame({"image_id": NAMES}), empty_quarantine(), Classes("healthy", "unhealthy"), (), found
    )
    findings.append(Finding("sources", Level.SERIOUS, "Sources", "They repeat."))
    return AuditOutcome(kept, dropped, tuple(findings), {}, (), material)


def test_every_conflict_is_drawn_and_small_enough_for_a_page(outcome: AuditOutcome, tmp_path: Path) -> None:
    pictures = draw_audit(outcome, folder=tmp_path, load=picture)

    assert {name: [path.name for path in paths] for name, paths in pictures.items()} == {
        "sources": ["source-01.png", "pairs.png"],
        "mixed-sources": ["mixed-sources.png", "conflicting-pairs.png"],
        "duplicate-conflicts": ["identical-opposite.png", "conflict-matrix.png"],
        "test-twins": ["twins.png"],
    }
    for path in (path for paths in pictures.values() for path in paths):
        with Image.open(path) as image:
            image.load()
            assert image.width >= 300
        assert path.stat().st_size < 500_000


def test_a_mirrored_pair_is_laid_over_without_colour(outcome: AuditOutcome, tmp_path: Path) -> None:
    grey = lambda name: np.repeat(picture(name).mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)  # noqa: E731
    draw_audit(outcome, folder=tmp_path, load=grey)

    with Image.open(tmp_path / "pairs.png") as image:
        third = np.asarray(image.convert("RGB")).astype(int)[60:150, 300:420]
    assert np.abs(third[..., 0] - third[..., 1]).max() <= 12


def test_nothing_is_drawn_where_nothing_was_found(outcome: AuditOutcome, tmp_path: Path) -> None:
    silent = AuditOutcome(outcome.records, outcome.quarantined, (), {}, (), outcome.material)

    assert draw_audit(silent, folder=tmp_path, load=picture) == {}


def test_a_thumbnail_keeps_the_aspect_ratio() -> None:
    small = np.asarray(thumbnail(np.full((40, 80, 3), 200, np.uint8), side=64))

    lit = small[..., 0] > 100
    assert small.shape == (64, 64, 3)
    assert (lit.any(axis=1).sum(), lit.any(axis=0).sum()) == (32, 64)


@pytest.fixture
def doubts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": ["a.png", "c.png"],
            "reference": ["a.png", "c.png"],
            "label": ["healthy", "unhealthy"],
            "suggestion": ["unhealthy", "unhealthy"],
            "doubt": [0.93, 0.4],
            "why": "the model gives the other class 93 %",
        }
    )


def test_a_filled_in_workbook_changes_the_sheet(doubts: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(picture(name)).save(tmp_path / "images" / name)
    sheet = openpyxl.Workbook()
    assert sheet.active is not None
    for row in (("imagePath", "Healthy"), ("a.png", 1), ("b.png", 0), ("c.png", 0)):
        sheet.active.append(row)
    sheet.save(tmp_path / "labels.xlsx")
    review = tmp_path / "review.xlsx"
    write_review_workbook(review, doubts, classes=("healthy", "unhealthy"), load=picture)

    filled = openpyxl.load_workbook(review)
    header = [cell.value for cell in filled["Label review"][1]]
    assert len(filled["Label review"]._images) == 2  # type: ignore[attr-defined]
    assert filled["Label review"].cell(2, header.index("reviewed label") + 1).value is None
    filled["Label review"].cell(2, header.index("reviewed label") + 1).value = "unhealthy"
    filled.save(review)
    changes = apply_review(
        tmp_path / "labels.xlsx", reviewed=review, out=tmp_path / "corrected.xlsx", config=SheetConfig(),
        images=tmp_path / "images",
    )  # fmt: skip

    assert list(changes["reference"]) == ["a.png"]
    assert list(changes["class_after"]) == ["unhealthy"]


def test_a_file_named_like_a_formula_stays_a_name(doubts: pd.DataFrame, tmp_path: Path) -> None:
    review = tmp_path / "review.xlsx"
    write_review_workbook(
        review, doubts.assign(reference="=cmd|'/c calc'!A1"), classes=("healthy", "unhealthy"), load=picture
    )

    cell = openpyxl.load_workbook(review)["Label review"]["B2"]
    assert (cell.data_type, cell.value) == ("s", "=cmd|'/c calc'!A1")
