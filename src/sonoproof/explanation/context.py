"""What the explanations of a part are made from."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import expit
from torch import nn

from sonoproof.classes import Classes
from sonoproof.config import ExplainConfig
from sonoproof.explanation.attribution import ClassLogit
from sonoproof.explanation.saturation import ToProbability
from sonoproof.progress import SILENT, Progress
from sonoproof.types import BoolArray, LoadFrames, LoadMask, UInt8Array


@dataclass(frozen=True)
class ExplanationContext:
    """A model, the frames that it saw, and how it is to be explained.

    Attributes:
        frames: Gives the frames of image ids as the network sees them.
        classifier: Network in evaluation mode: frames (N, 3, H, W) in [-1, 1] to logits of the positive class.
        classes: Names of the classes.
        config: Numbers of frames, methods, baselines, steps and tolerance.
        references: Frames of the baseline ``references``, uint8, shape (R, H, W, 3).
        masks: Gives the truth mask of an image id, where there is one.
        shuffled_labels: Network trained on shuffled labels, for the gate; None to leave that check out.
        to_probability: Turns logits of the positive class into its probability, for the curves.
        progress: Told the number of frames explained and of all frames.
    """

    frames: LoadFrames
    classifier: nn.Module
    classes: Classes
    config: ExplainConfig
    references: UInt8Array | None = None
    masks: LoadMask | None = None
    shuffled_labels: nn.Module | None = None
    to_probability: ToProbability = expit
    progress: Progress = SILENT.progress

    def logit(self, class_name: str) -> ClassLogit:
        """The logit of a class by name."""
        return ClassLogit(self.classifier, positive=class_name == self.classes.positive)

    def mask(self, image_id: str) -> BoolArray | None:
        """The truth mask of a frame; None if it has none."""
        return None if self.masks is None else self.masks(image_id)
