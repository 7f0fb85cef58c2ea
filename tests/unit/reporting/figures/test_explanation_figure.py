"""The figure of an explained frame: true to its size, its signs and its words, whatever text it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.text import Text
from PIL import Image

from sonoproof.errors import RunFolderError
from sonoproof.reporting.figures.explanation import draw_explanations
from sonoproof.reporting.figures.explanation_panels import explanation_figure
from sonoproof.reporting.figures.heatmap import overlay
from sonoproof.reporting.figures.style import house_style
from sonoproof.reporting.wording.captions import figure_caption, title_lines
from sonoproof.runfolder import write_json

SIDE = 32
HOSTILE = "a$\\frac{1}{$ _x^ \n\u202egnp.exe\u0007 卵巣 مبيض \ud83d\ude00".encode("utf-16", "surrogatepass").decode(
    "utf-16"
)


def _result(name: str = "blur", gap: float | None = 0.004, *, converged: bool = True) -> dict[str, Any]:
    return {
        "name": name, "logit_difference": 3.2, "convergence_delta": 0.01, "gap": gap, "converged": converged,
        "steps_used": 81, "share_saturated": 0.0,
    }  # fmt: skip


def _item(**changes: Any) -> dict[str, Any]:
    shares = {name: {"attribution": 0.9, "area": 0.6} for name in ("sector", "border", "overlay")}
    item = {
        "image_id": "sub/007.jpg", "kind": "top", "rank": 1, "group": "p1", "label": "unhealthy",
        "predicted": "unhealthy", "explained_class": "unhealthy", "probability": 0.93, "logit": 2.6,
        "baselines": [_result(), _result("black")], "shares": shares, "localisation": None,
        "arrays": "a.npz", "png": "a.png", "pdf": "a.pdf", "preview": "a.preview.jpg",
    }  # fmt: skip
    return item | changes


def _content(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "part": "val",
        "classes": {"negative": "healthy", "positive": "unhealthy"},
        "tolerance": 0.01,
        "scale": {"percentile": 99.5, "sigma_px": 0.4, "integrated_gradients": 0.02, "saliency": 0.5},
        "gate": {"method": "m", "passed": True, "frames": 3, "checks": [{"name": "completeness", "passed": True}]},
        "frames": list(items),
    } | changes


def _arrays(names: tuple[str, ...] = ("blur", "black")) -> dict[str, npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    arrays: dict[str, npt.NDArray[Any]] = {
        "frame": rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8),
        "saliency": rng.random((SIDE, SIDE)).astype(np.float32),
    }
    for name in names:
        arrays |= {
            f"ig_{name}": 0.01 * rng.standard_normal((3, SIDE, SIDE)).astype(np.float32),
            f"alpha_{name}": np.linspace(0, 1, 9),
            f"probability_{name}": np.linspace(0.2, 0.9, 9),
            f"gradient_{name}": np.linspace(0.1, 0.0, 9),
        }
    return arrays


def _draw(folder: Path, item: dict[str, Any], *, dpi: int = 60, **changes: Any) -> list[Path]:
    write_json(folder / "explanations.json", _content(item, **changes), schema="explanations")
    np.savez(
        folder / item["arrays"], allow_pickle=False, **_arrays(tuple(result["name"] for result in item["baselines"]))
    )
    return draw_explanations(folder, dpi=dpi)


@pytest.mark.slow
def test_600_dpi_is_true(tmp_path: Path) -> None:
    _draw(tmp_path, _item(), dpi=600)
    inches = explanation_figure(_item(), _arrays(), content=_content()).get_size_inches()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["dpi"] == pytest.approx((600, 600), abs=0.01)  # 23622 pixels a metre
        assert picture.size == pytest.approx(600 * inches, abs=1)
        assert "unhealthy" in picture.info["Title"]
        assert "Saliency" in picture.info["Description"]
    with Image.open(tmp_path / "a.preview.jpg") as preview:
        assert preview.width == 1080
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("Explanation of one frame (sub/007.jpg")


@pytest.mark.slow
def test_picture_is_what_matplotlib_draws(tmp_path: Path) -> None:
    _draw(tmp_path, _item(), dpi=600)
    figure = explanation_figure(_item(), _arrays(), content=_content())
    with house_style():
        figure.savefig(tmp_path / "theirs.png", dpi=600)
    with Image.open(tmp_path / "a.png") as ours, Image.open(tmp_path / "theirs.png") as theirs:
        assert ours.size == theirs.size
        differ = (np.asarray(ours) != np.asarray(theirs.convert("RGB"))).any(axis=-1)
    assert differ.mean() < 0.002  # none; where pixels end may be rounded otherwise some day


@pytest.mark.slow
def test_a_set_is_drawn_in_several_processes_and_none_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    items = [
        _item(probability=0.5 + number / 100, **{key: f"{number}.{key}" for key in ("png", "pdf")})
        | {"preview": f"{number}.jpg"}
        for number in range(9)
    ]
    write_json(tmp_path / "explanations.json", _content(*items), schema="explanations")
    np.savez(tmp_path / "a.npz", allow_pickle=False, **_arrays())
    told: list[tuple[int, int]] = []
    written = draw_explanations(tmp_path, dpi=60, progress=lambda done, total: told.append((done, total)))
    assert told == [(number + 1, 9) for number in range(9)]
    assert len(set(written)) == 4 * 9
    for number in range(9):
        with Image.open(tmp_path / f"{number}.png") as picture:
            assert f"probability {0.5 + number / 100:.3f}" in picture.info["Title"]


@pytest.mark.slow
@pytest.mark.parametrize("names", [("blur",), ("blur", "black", "mean"), ("references", "blur", "black", "mean")])
def test_any_number_of_baselines_is_drawn(tmp_path: Path, names: tuple[str, ...]) -> None:
    written = _draw(tmp_path, _item(baselines=[_result(name) for name in names]))
    assert all(path.stat().st_size > 0 for path in written)


@pytest.mark.slow
@pytest.mark.parametrize("highest", [0.0, 0.00025, 0.1499, 0.99, 123.0])
def test_nothing_leaves_the_figure_or_runs_into_a_neighbour(highest: float) -> None:
    wide = {"negative": "W" * 60, "positive": "W" * 60}
    arrays = {name: highest * a if name.startswith("gradient") else a for name, a in _arrays().items()}
    item = _item(image_id="W" * 90, group="W" * 90, explained_class=wide["positive"])
    for shown, classes in ((_item(), _content()["classes"]), (item, wide)):
        with house_style():
            figure = explanation_figure(shown, arrays, content=_content(classes=classes))
            figure.set_dpi(600)
            figure.draw_without_rendering()
            axes = [axis.get_tightbbox() for axis in figure.axes]
            texts = [
                text.get_window_extent() for text in figure.findobj(Text) if text.get_text() and text.get_visible()
            ]
        for box in [*texts, *(box for box in axes if box is not None)]:
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        names = [text.get_window_extent() for axis in figure.axes for text in (axis.yaxis.label, *axis.texts)]
        pairs = [(a, b) for number, a in enumerate(names) for b in names[number + 1 :] if a.width and b.width]
        assert not [1 for a, b in pairs if a.overlaps(b)]


def test_heading_says_what_must_be_said() -> None:
    first, second, third, fourth = title_lines(_item(), _content())
    assert "“unhealthy”" in first
    assert "0.930" in first
    assert "(right)" in first
    assert "sub/007.jpg" in second
    assert "blurred frame 0.4 % (converged)" in third
    assert "passed (1 of 1 checks)" in fourth


def test_what_went_wrong_is_said_loudly() -> None:
    failed = {"checks": [{"name": "model_randomisation", "passed": False}, {"name": "x", "passed": True}]}
    item = _item(label="healthy", kind="error", baselines=[_result(gap=0.2, converged=False), _result(gap=None)])
    text = " ".join(title_lines(item, _content(gate=failed)))
    assert "(WRONG)" in text
    assert "20 % (NOT CONVERGED)" in text
    assert "undefined" in text
    assert "Trust gate: FAILED (model randomisation)" in text
    assert "label unknown" in title_lines(_item(label=""), _content())[0]
    assert "Trust gate: not run" in title_lines(_item(), _content(gate=None))[3]
    assert "NOT CONVERGED" in figure_caption(item, _content(gate=failed))


def test_colours_stand_for_classes_whichever_class_is_explained() -> None:
    arrays = _arrays(("blur",))
    arrays["ig_blur"] = np.full((3, SIDE, SIDE), 1.0, dtype=np.float32)  # all for the class explained
    shown = {}
    for explained in ("healthy", "unhealthy"):
        item = _item(explained_class=explained, predicted=explained, baselines=[_result()])
        figure = explanation_figure(item, arrays, content=_content())
        panel = next(axis for axis in figure.axes if axis.get_title(loc="left") == "C")
        shown[explained] = np.asarray(panel.images[0].get_array()).reshape(-1, 3).mean(axis=0)
    red, blue = 0, 2
    assert shown["unhealthy"][red] > shown["unhealthy"][blue] + 100
    assert shown["healthy"][blue] > shown["healthy"][red] + 100


def test_overlay_by_hand() -> None:
    frame = np.full((1, 3, 3), 200, dtype=np.uint8)
    shown = overlay(frame, np.array([[-9.0, 0.0, 1.0]]), scale=2.0, signed=True)
    assert tuple(shown[0, 0]) == (0x56, 0xB4, 0xE9)  # beyond the scale: full colour
    assert tuple(shown[0, 1]) == (120, 120, 120)  # nothing: the frame, dimmed
    assert tuple(shown[0, 2]) == (188, 124, 67)  # half of either
    assert np.array_equal(overlay(frame, np.zeros((1, 3)), scale=0.0, signed=False), np.full((1, 3, 3), 120))


@pytest.mark.slow
def test_hostile_text_is_drawn_without_a_warning(tmp_path: Path) -> None:
    item = _item(image_id=HOSTILE * 20, group=HOSTILE, label=HOSTILE, predicted=HOSTILE, explained_class=HOSTILE)
    _draw(tmp_path, item, classes={"negative": HOSTILE * 3, "positive": HOSTILE})
    with Image.open(tmp_path / "a.png") as picture:
        assert "\u202e" not in picture.info["Title"] + picture.info["Description"]


def test_map_of_zeros_and_flat_curve_are_drawn(tmp_path: Path) -> None:
    write_json(tmp_path / "explanations.json", _content(_item()), schema="explanations")
    np.savez(tmp_path / "a.npz", allow_pickle=False, **{name: 0 * values for name, values in _arrays().items()})
    assert len(draw_explanations(tmp_path, dpi=60)) == 4


def test_damaged_arrays_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    write_json(tmp_path / "explanations.json", _content(_item()), schema="explanations")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(RunFolderError, match=r"a\.npz"):
        draw_explanations(tmp_path, dpi=60)


def test_methods_asked_for_are_drawn_each_under_its_own_verdict(tmp_path: Path) -> None:
    methods = ["smoothgrad", "grad_cam", "occlusion", "integrated_gradients"]
    gates = [
        {"method": name, "checks": [{"name": "repeatability", "passed": name != "grad_cam"}]} for name in methods[:3]
    ]
    scale = _content()["scale"] | {"smoothgrad": 0.3, "grad_cam": 0.2, "occlusion": 1.0}
    content = _content(methods=methods, further_gates=gates, scale=scale)
    arrays = _arrays() | {name: _arrays()["saliency"] for name in methods[:3]}
    figure = explanation_figure(_item(), arrays, content=content)
    titles = " | ".join(text.get_text() for axis in figure.axes for text in axis.texts)
    assert "SmoothGrad: trust gate passed" in titles
    assert "Grad-CAM: trust gate FAILED" in titles
    assert "Saliency" not in titles
    assert sum("Saturation" in text for text in titles.split(" | ")) == 2
    caption = figure_caption(_item(), content)
    assert "(B) SmoothGrad" in caption
    assert "(E, F) Integrated gradients" in caption
    assert "; Grad-CAM: FAILED (repeatability)" in caption
    assert "Trust gate, integrated gradients: passed" in title_lines(_item(), content)[3]
