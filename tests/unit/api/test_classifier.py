"""A loaded model: the same answer for a file, its pixels and Pillow's image of it, and scikit-learn's contract."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay, roc_auc_score
from sklearn.utils.validation import check_is_fitted
from tests.support.bundles import lively_bundle, with_spec, write_frames

import sonoproof as sp
from sonoproof.classes import Classes
from sonoproof.inference.predict_paths import predict_paths
from sonoproof.inference.prediction_files import ANSWER_COLUMNS
from sonoproof.training.bundle import save_bundle, save_decision


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> sp.Classifier:
    folder = tmp_path_factory.mktemp("model")
    bundle = lively_bundle(size=32)
    save_bundle(bundle, folder / "model")
    save_decision(bundle.spec.decision, folder / "model", novelty=bundle.spec.novelty)
    return sp.load(folder, engine="torch", device="cpu")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_frames(tmp_path_factory.mktemp("frames") / "frames")


@pytest.fixture(scope="module")
def readable(frames: list[Path]) -> list[Path]:
    return [path for path in frames if path.stem != "broken"]


class TestAnswers:
    def test_predict_frame_is_what_the_command_gives(self, model: sp.Classifier, frames: list[Path]) -> None:
        known = predict_paths(Path(model.model), frames, engine="torch", device="cpu")
        found = model.predict_frame(frames)
        assert tuple(found.columns) == ANSWER_COLUMNS
        pd.testing.assert_frame_equal(found, pd.DataFrame(map(dataclasses.astuple, known), columns=ANSWER_COLUMNS))

    def test_file_array_and_pillow_give_one_answer(self, model: sp.Classifier, readable: list[Path]) -> None:
        known = model.predict_frame(readable).drop(columns="path")
        arrays = [np.asarray(Image.open(path)) for path in readable]
        for images in (list(map(str, readable)), arrays, [Image.open(path) for path in readable], pd.Series(readable)):
            pd.testing.assert_frame_equal(model.predict_frame(images).drop(columns="path"), known)

    @pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16", "1"])
    @pytest.mark.parametrize("orientation", [1, 6])
    def test_layout_depth_and_orientation_are_those_of_the_file(
        self, model: sp.Classifier, tmp_path: Path, mode: str, orientation: int
    ) -> None:
        rng = np.random.default_rng(5)
        noise = Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8))
        image = Image.fromarray(rng.integers(0, 4000, (40, 60)).astype(np.uint16)) if "I" in mode else noise
        path = tmp_path / f"frame.{'jpg' if mode == 'CMYK' else 'png'}"
        exif = Image.Exif()
        exif[274] = orientation
        (image if "I" in mode else image.convert(mode)).save(path, exif=exif)
        assert model.predict_frame(Image.open(path))["logit"].tolist() == model.predict_frame(path)["logit"].tolist()

    def test_one_is_many_of_one_and_a_stack_is_many(self, model: sp.Classifier) -> None:
        stack = np.random.default_rng(2).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8)
        many = model.predict_proba(stack)
        assert many.shape == (3, 2)
        assert model.predict_proba(stack[1]) == pytest.approx(many[1:2], abs=1e-5)
        turned = np.ascontiguousarray(stack[0, ..., ::-1])  # as OpenCV has it
        assert model.predict_proba(turned[..., ::-1]) == pytest.approx(many[:1], abs=1e-5)
        grey = stack[0, ..., 0]
        assert np.array_equal(model.predict_proba(grey), model.predict_proba(np.dstack([grey] * 3)))

    def test_what_cannot_be_read_is_named_never_skipped(self, model: sp.Classifier, frames: list[Path]) -> None:
        with pytest.raises(sp.FrameError, match=r"1 of 8 images.*broken\.png"):
            model.predict(frames)
        assert (model.predict_frame(frames)["reason"] != "").sum() == 1

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((8, 8, 3)), "must be uint8"),
            (np.zeros((8, 8), np.uint16), "give the path"),
            (np.zeros((3, 8, 8), np.uint8), r"\(H, W, 3\)"),
            (np.zeros((8, 8, 4), np.uint8), r"\(H, W, 3\)"),
            ([np.zeros((8, 8), np.uint8), np.zeros(8, np.uint8)], "image 1: "),
            ([3], "image 0: .*not int"),
            (None, "not NoneType"),
            (pd.DataFrame({"path": ["a.png"]}), "one column"),
        ],
    )
    def test_anything_else_is_one_clear_error(self, model: sp.Classifier, images: object, message: str) -> None:
        with pytest.raises(sp.FrameError, match=message):
            model.predict(images)

    def test_colour_of_which_pillow_lost_half_is_refused(self, model: sp.Classifier, tmp_path: Path) -> None:
        import cv2

        path = tmp_path / "deep.png"
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 4095, (40, 50, 3)).astype(np.uint16))
        with Image.open(path) as image:
            assert "give the path" in model.predict_frame(image)["reason"][0]
            image.load()
            assert "give the path" in model.predict_frame(image)["reason"][0]


class TestForScikitLearn:
    @pytest.mark.parametrize("classes", [Classes("healthy", "unhealthy"), Classes("normal", "abnormal")])
    def test_order_of_classes_is_scikit_learns_whichever_is_positive(
        self, model: sp.Classifier, tmp_path: Path, readable: list[Path], classes: Classes
    ) -> None:
        middle = float(model.predict_frame(readable)["probability"].median())
        point = dataclasses.replace(model.spec.decision.operating_point, threshold=middle)
        decision = dataclasses.replace(model.spec.decision, operating_point=point)
        bundle = with_spec(lively_bundle(size=32), classes=classes, decision=decision)
        save_bundle(bundle, tmp_path / "model")
        save_decision(decision, tmp_path / "model")
        model = sp.load(tmp_path, engine="torch", device="cpu")
        table, proba = model.predict_frame(readable), model.predict_proba(readable)
        assert model.classes_.tolist() == sorted(classes.names)
        positive = model.classes_.tolist().index(classes.positive)
        assert proba[:, positive].tolist() == table["probability"].tolist()
        assert proba.sum(axis=1) == pytest.approx(1)
        assert model.predict(readable).tolist() == table["predicted"].tolist()
        assert len(set(table["predicted"])) == 2
        above = model.decision_function(readable) > 0
        assert model.classes_[above.astype(int)].tolist() == table["predicted"].tolist()

    def test_it_is_a_fitted_classifier_that_refuses_to_be_fitted(self, model: sp.Classifier) -> None:
        check_is_fitted(model)
        assert is_classifier(model)
        with pytest.raises(sp.ConfigError, match="FrozenEstimator"):
            model.fit([], [])

    def test_displays_and_calibration_take_it(self, model: sp.Classifier, readable: list[Path]) -> None:
        mpl.use("Agg")
        proba = model.predict_proba(readable)[:, 1]
        labels = np.where(np.argsort(np.argsort(proba)) % 3 > 0, "unhealthy", "healthy")
        shown = RocCurveDisplay.from_estimator(model, readable, labels)
        assert shown.roc_auc == pytest.approx(roc_auc_score(labels == "unhealthy", proba))
        assert ConfusionMatrixDisplay.from_estimator(model, readable, labels).confusion_matrix.sum() == 7
        assert CalibrationDisplay.from_estimator(model, readable, labels, n_bins=2).y_prob.tolist() == proba.tolist()
        again = CalibratedClassifierCV(FrozenEstimator(model)).fit(readable * 3, np.tile(labels, 3))
        assert again.predict_proba(readable).shape == (7, 2)


class TestExplain:
    def test_it_says_what_it_explains_and_adds_up(self, model: sp.Classifier, readable: list[Path]) -> None:
        row = model.predict_frame(readable[0]).iloc[0]
        found = model.explain(readable[0])
        assert found.explained_class == row["predicted"]
        positive = row["predicted"] == model.positive_class
        assert found.probability == pytest.approx(row["probability"] if positive else 1 - row["probability"])
        assert abs(found.attribution.sum() - found.logit_difference) <= (found.gap + 1e-5) * abs(found.logit_difference)
        assert found.converged == (found.gap < 0.01)
        assert {found.attribution.shape, found.frame.shape[:2]} == {(32, 32)}
        assert row["predicted"] in repr(found)
        assert "the blurred frame" in repr(found)
        assert found.plot().get_suptitle() == repr(found)
        assert found._repr_png_().startswith(b"\x89PNG")

    def test_what_cannot_be_explained_is_refused(self, model: sp.Classifier, frames: list[Path]) -> None:
        with pytest.raises(sp.FrameError, match="one image"):
            model.explain(frames)
        with pytest.raises(sp.FrameError, match="cannot be read"):
            model.explain(next(path for path in frames if path.stem == "broken"))
        with pytest.raises(sp.ConfigError, match="no baseline 'white'"):
            model.explain(frames[0], baseline="white")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sp.BundleError, match="neither a run folder"):
        sp.load(tmp_path)
