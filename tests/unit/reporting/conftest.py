from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image
from tests.support.report_run import make_run
from tests.support.shelf import Shelf

from sonoproof.runfolder import RunFolder

RunMaker = Callable[..., RunFolder]


@pytest.fixture(scope="session")
def make_report_run(shelf: Shelf) -> RunMaker:
    """Puts a made-up run into a folder; each kind is computed once."""

    def make(out: Path, *, hostile: str = "", preview_side: int = 320) -> RunFolder:
        kind = hashlib.sha256(hostile.encode(errors="surrogatepass")).hexdigest()[:8]
        kept = shelf.once(
            f"report-run-{kind}-{preview_side}",
            lambda folder: make_run(folder, hostile=hostile, preview_side=preview_side),
        )
        return RunFolder(shutil.copytree(kept.root, out))

    return make


@pytest.fixture
def run_maker(make_report_run: RunMaker, tmp_path: Path) -> RunMaker:
    return lambda **options: make_report_run(tmp_path / "run", **options)


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves empty pictures in place of curves, for tests of the text around them."""

    def save(_figure: Figure, stem: Path, *, dpi: int) -> tuple[Path, Path]:
        png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
        png.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(png, dpi=(dpi, dpi))
        svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8" viewBox="0 0 8 8"></svg>')
        return png, svg

    monkeypatch.setattr("sonoproof.reporting.figures.figure_writer.save", save)
