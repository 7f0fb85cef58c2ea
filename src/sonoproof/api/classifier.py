"""A saved or exported model that predicts images, with the words of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin

from sonoproof.data.frames.images import given_images, pixels_of
from sonoproof.errors import ConfigError, FrameError
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.files import FileAnswer, predict_images
from sonoproof.inference.predict_paths import check_model, frames_config
from sonoproof.inference.prediction_files import answer_table
from sonoproof.training.model_spec import ModelSpec
from sonoproof.types import FloatArray, StrArray

if TYPE_CHECKING:
    from sonoproof.api.explanation import Explanation

_SHOWN = 5


def load(model: str | Path, *, engine: str = "auto", device: str = "auto") -> Classifier:
    """Load the model of a run, or an exported one.

    Args:
        model: A run folder, the folder of a saved model, or a file of ``sonoproof export``.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        BundleError: There is no usable model.
        ConfigError: There is no such engine or device.
        MissingExtra: The engine is not installed.
    """
    return Classifier(model, engine=engine, device=device)


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted classifier of images.

    Every method takes one image or many: paths, uint8 arrays of shape (H, W), (H, W, 3) or (N, H, W, 3), RGB where in
    colour, or images of Pillow. An image in memory gets the answer of the file that it came from.

    Args:
        model: A run folder, the folder of a saved model, or a file of ``sonoproof export``.
        engine: ``auto``, ``torch``, ``onnxruntime`` or ``openvino``.
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        classes_: The two class names in alphabetical order, as scikit-learn has them; see `positive_class`.
    """

    def __init__(self, model: str | Path, *, engine: str = "auto", device: str = "auto") -> None:
        self.model, self.engine, self.device = model, engine, device
        check_model(Path(model))
        self._frames = frames_config(Path(model))
        self._engine = open_engine(Path(model), engine=engine, device=device)
        self.classes_: StrArray = np.array(sorted(self.spec.classes.names))

    @property
    def spec(self) -> ModelSpec:
        """Class names, preprocessing, calibration, threshold, and when the answer is "not sure"."""
        return self._engine.spec

    @property
    def positive_class(self) -> str:
        """The class that ``probability`` in `predict_frame` refers to."""
        return self.spec.classes.positive

    @property
    def threshold(self) -> float:
        """Probability of the positive class at or above which it is predicted."""
        return self.spec.decision.operating_point.threshold

    def predict(self, images: Any) -> StrArray:
        """Class names at the model's threshold, shape (N,).

        Raises:
            FrameError: An image cannot be read; `predict_frame` gives a row with the reason instead.
        """
        return np.array([answer.predicted for answer in self._answers_to_all(images)], np.str_)

    def predict_proba(self, images: Any) -> FloatArray:
        """Calibrated probabilities in the order of `classes_`, shape (N, 2).

        Raises:
            FrameError: An image cannot be read.
        """
        positive = np.array([answer.probability for answer in self._answers_to_all(images)], np.float64)
        both = np.column_stack([1 - positive, positive])
        return both if self._positive_is_last else both[:, ::-1]

    def decision_function(self, images: Any) -> FloatArray:
        """Calibrated log-odds of ``classes_[1]`` less those of the threshold, shape (N,): above 0 it is predicted.

        Raises:
            FrameError: An image cannot be read.
        """
        own = np.array([answer.logit for answer in self._answers_to_all(images)], np.float64)
        smallest = np.finfo(np.float64).eps
        cut = float(logit(np.clip(self.threshold, smallest, 1 - smallest)))
        odds: FloatArray = self.spec.decision.calibration.apply(own) - cut
        return odds if self._positive_is_last else -odds

    def predict_frame(self, images: Any) -> pd.DataFrame:
        """One row per image with the columns of ``sonoproof predict``; what cannot be read has a reason instead.

        ``answer`` is the predicted class, or "not sure", or "unlike the training frames". ``path`` is empty for images
        in memory.
        """
        return answer_table(self._answers(images))

    def explain(self, image: Any, *, baseline: str = "blur") -> Explanation:
        """Which pixels of one image speak for the predicted class; ``.plot()`` draws it.

        Args:
            image: One image.
            baseline: What it is compared with: ``blur``, ``black`` or ``mean``. A black baseline gives black follicles
                no attribution by construction.

        Raises:
            FrameError: It cannot be read, or there are several.
            ConfigError: There is no such baseline, or the model is an exported one, which has no gradients.
        """
        from sonoproof.api.explanation import explain_canvas
        from sonoproof.training.bundle import load_bundle

        if Path(self.model).is_file():
            raise ConfigError(f"{self.model}: an exported model has no gradients; load the run folder to explain")
        listed = given_images(image)
        if len(listed) != 1:
            raise FrameError(f"explain takes one image, not {len(listed)}")
        (answer,) = self._answers_to_all(listed)
        preprocessing, positive = self.spec.preprocessing, answer.predicted == self.positive_class
        pixels = pixels_of(listed[0], max_pixels=self._frames.max_pixels, bits=preprocessing.bits)
        return explain_canvas(
            load_bundle(Path(self.model)),
            preprocessing(pixels),
            positive=positive,
            probability=answer.probability if positive else 1 - answer.probability,
            baseline=baseline,
        )

    def fit(self, images: Any, labels: Any = None) -> Self:  # noqa: ARG002
        """Refuse to be trained: scikit-learn has no place for the groups and the audit that a training needs.

        Raises:
            ConfigError: Always; the message names what to use.
        """
        raise ConfigError(
            "a loaded model is not trained again here; train with sonoproof run, and for scikit-learn's own tools wrap "
            "this one in sklearn.frozen.FrozenEstimator"
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def _positive_is_last(self) -> bool:
        return str(self.classes_[1]) == self.positive_class

    def _answers(self, images: Any) -> list[FileAnswer]:
        return predict_images(self._engine, images=given_images(images), frames=self._frames)

    def _answers_to_all(self, images: Any) -> Sequence[FileAnswer]:
        answers = self._answers(images)
        refused = [(place, answer) for place, answer in enumerate(answers) if answer.reason]
        if refused:
            told = "; ".join(
                f"{answer.path or f'image {place}'}: {answer.reason}" for place, answer in refused[:_SHOWN]
            )
            raise FrameError(f"{len(refused)} of {len(answers)} images cannot be read ({told})")
        return answers
