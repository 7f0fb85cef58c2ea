"""The page of settings is what the tables say."""

from __future__ import annotations

import re
import runpy

from tests.support.shared import ROOT

from sonoproof.config import TABLES, Config, settings_of

DOCS = ROOT / "docs"


def test_the_page_of_settings_is_up_to_date() -> None:
    written = runpy.run_path(str(DOCS / "settings_page.py"))["settings_page"]()
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == written, "run `make docs`"


def test_every_setting_has_a_row_with_its_meaning() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| .+ \| .+ \| ([^|]{10,}) \|$", (DOCS / "settings.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in rows] == ["seed", *_names()]


def test_the_contents_name_every_table_and_every_stage_that_can_be_done_again() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    settings, again = text.split("## Settings")[1].split("## One stage again")
    assert [name for name in TABLES if f"`{name}`" not in settings] == []
    assert [name for name in ("fit", "calibrate", "evaluate", "explain", "report") if f"`{name}`" not in again] == []


def _names() -> list[str]:
    return [f"{name}.{key}" for name in TABLES for key in settings_of(type(getattr(Config(), name)))]
