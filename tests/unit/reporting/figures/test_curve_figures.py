"""What is drawn is what was given."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from PIL import Image

from sonoproof.reporting.figures import curves as figures
from sonoproof.reporting.figures import decision_figures
from sonoproof.reporting.figures.style import inline_svg, label_text, save


def page_svg(figure: Figure, folder: Path, *, name: str = "a") -> str:
    _, svg = save(figure, folder / name, dpi=60)
    return inline_svg(svg.read_text(encoding="utf-8"), name=name, title="t", description="d")


def lines_of(axis: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axis.get_lines()
    }


@pytest.fixture
def roc() -> Figure:
    return figures.roc_curve(
        np.array([0.0, 0.25, 1.0]), np.array([0.0, 0.75, 1.0]), label="AUC 0.750", operating_point=(0.25, 0.75)
    )


def test_roc_draws_the_points_and_the_operating_point(roc: Figure) -> None:
    lines = lines_of(roc.axes[0])
    assert lines["AUC 0.750"] == ([0.0, 0.25, 1.0], [0.0, 0.75, 1.0])
    assert lines["At the threshold"] == ([0.25], [0.75])


def test_precision_recall_draws_the_points_and_the_prevalence() -> None:
    recall, precision = np.array([0.5, 1.0]), np.array([1.0, 0.5])
    figure = figures.precision_recall_curve(recall, precision, label="AP", prevalence=0.4)
    lines = lines_of(figure.axes[0])
    assert lines["AP"] == ([0.0, 0.5, 1.0], [1.0, 1.0, 0.5])  # the first precision holds from recall 0 on
    assert set(lines["Prevalence 0.400"][1]) == {0.4}


def test_training_curves_draw_each_part_and_mark_the_chosen_epoch() -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2], "fit_loss": [0.7, 0.5], "val_loss": [0.8, 0.6], "fit_auc": [0.6, 0.9], "chosen": [0, 1]}
    )
    figure = figures.training_curves(history, parts=(("fit", "Fit"), ("val", "Validation")))
    loss, auc = figure.axes
    assert lines_of(loss)["Fit"] == ([1, 2], [0.7, 0.5])
    assert lines_of(loss)["Validation"] == ([1, 2], [0.8, 0.6])
    assert lines_of(loss)["Chosen: epoch 2"][0] == [2, 2]
    assert lines_of(auc)["Fit"] == ([1, 2], [0.6, 0.9])


def test_reliability_draws_shares_over_probabilities_and_counts() -> None:
    bins = [decision_figures.Bin(0.0, 0.1, 0.04, 0.2, 30), decision_figures.Bin(0.9, 1.0, 0.93, 0.8, 1200)]
    figure = decision_figures.reliability_diagram(bins, positive_class="unhealthy")
    above, below = figure.axes
    assert lines_of(above)["Observed"] == ([0.04, 0.93], [0.2, 0.8])
    assert [text.get_text() for text in below.texts] == ["30", "1,200"]
    assert above.get_ylabel() == "Share that is unhealthy"


def test_histogram_counts_every_row_once_in_its_class() -> None:
    negatives, positives = np.array([0.0, 0.1, 0.2]), np.array([0.9, 1.0])
    figure = figures.probability_histogram(negatives, positives, names=("healthy", "unhealthy"), threshold=0.5)
    axis = figure.axes[0]
    heights = [patch.get_height() for patch in axis.patches if isinstance(patch, Rectangle)]
    legend = axis.get_legend()
    (outline,) = [patch for patch in axis.patches if isinstance(patch, Polygon)]
    assert sum(heights) == 3
    assert outline.get_xy()[1::2, 1].sum() == 2
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][:2] == ["healthy (3)", "unhealthy (2)"]


def test_confusion_puts_each_count_where_it_belongs() -> None:
    figure = figures.confusion_matrix(tp=7, fp=1, tn=20, fn=2, names=("healthy", "unhealthy"))
    axis = figure.axes[0]
    cells = {(text.get_position()[1] > 1, text.get_position()[0] > 1): text.get_text() for text in axis.texts[::2]}
    assert cells == {(False, False): "7", (False, True): "2", (True, False): "1", (True, True): "20"}
    assert [label.get_text() for label in axis.get_xticklabels()] == ["unhealthy", "healthy"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["unhealthy", "healthy"]


def test_gap_draws_values_and_intervals() -> None:
    figure = figures.honest_against_naive([("Random", 0.97, 0.96, 0.98), ("Grouped", 0.8, None, None)], metric="AUC")
    lines = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].get_lines()]
    assert lines[:3] == [[0.96, 0.98], [0.97], [0.8]]


def test_class_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    assert label_text("$x^2$") == "$x^2$"
    figure = figures.confusion_matrix(tp=1, fp=1, tn=1, fn=1, names=("$a_1$", "\u202ebroken\x00 \\frac{"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = page_svg(figure, tmp_path)
    assert "$a_1$" in svg
    assert "⟨" not in label_text("plain")


def test_a_character_that_the_font_lacks_is_no_warning(tmp_path: Path) -> None:
    assert label_text("健康") == "▯▯"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.confusion_matrix(tp=1, fp=1, tn=1, fn=1, names=("健康", "病"))
        page_svg(figure, tmp_path)


def test_two_drawings_on_a_page_share_no_id(roc: Figure, tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        root = ET.fromstring(page_svg(roc, tmp_path, name=name))
        ids += [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))


def test_drawing_follows_the_page_in_light_and_dark(roc: Figure, tmp_path: Path) -> None:
    svg = page_svg(roc, tmp_path)
    assert "var(--series-1)" in svg
    assert "var(--ink)" in svg
    for colour in ("#0072b2", "#d55e00", "#1f2933", "#5b6672", "#ffffff"):
        assert colour not in svg


def test_drawing_leaves_the_callers_style_alone(roc: Figure, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    page_svg(roc, tmp_path)
    assert dict(mpl.rcParams) == before


def test_saved_figure_is_sharp_white_and_the_same_every_time(roc: Figure, tmp_path: Path) -> None:
    png, svg = save(roc, tmp_path / "val-roc", dpi=300)
    with Image.open(png) as image:
        assert image.info["dpi"][0] == pytest.approx(300, abs=1)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    first = svg.read_bytes()
    save(roc, tmp_path / "val-roc", dpi=300)
    assert svg.read_bytes() == first


def test_net_benefit_draws_the_model_against_all_and_none() -> None:
    thresholds = np.array([0.1, 0.5, 0.9])
    figure = decision_figures.decision_curve(
        thresholds,
        model=np.array([0.4, 0.3, 0.05]),
        low=np.array([0.35, 0.2, np.nan]),
        high=np.array([0.45, 0.35, np.nan]),
        treat_all=np.array([0.38, 0.0, -3.0]),
        operating_threshold=0.35,
        positive_class="unhealthy",
    )
    (axis,) = figure.axes
    lines = lines_of(axis)
    assert lines["Predicted by the model"] == ([0.1, 0.5, 0.9], [0.4, 0.3, 0.05])
    assert lines["Call every frame"] == ([0.1, 0.5, 0.9], [0.38, 0.0, -3.0])
    assert lines["Threshold in use"][0] == [0.35, 0.35]
    assert axis.get_ylim()[0] > -0.2  # calling everything at 0.9 does not squeeze the rest flat


def test_reliability_draws_what_was_before_calibration_beside_it() -> None:
    before, after = [decision_figures.Bin(0.9, 1.0, 0.95, 0.7, 40)], [decision_figures.Bin(0.7, 0.8, 0.72, 0.7, 40)]
    figure = decision_figures.reliability_diagram(after, positive_class="unhealthy", before=before)
    lines = lines_of(figure.axes[0])
    assert lines["Before"] == ([0.95], [0.7])
    assert lines["Calibrated"] == ([0.72], [0.7])
