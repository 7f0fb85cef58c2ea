"""Writes ``augmentation.png``, a phantom frame under each change: ``python docs/augmentation_picture.py``."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.phantom import PhantomConfig, write_cohort
from sonoproof.training.augmentation import Augmentation, Changes, draw
from sonoproof.training.augmenting import augment
from sonoproof.training.recipes import VARIED
from sonoproof.types import UInt8Array

PICTURE = Path(__file__).with_name("augmentation.png")
SIZE = 224
DRAWS = [str(number) for number in range(64)]
STILL = Augmentation(zoom=0.0, shear_degrees=0.0, flip=False, changed_share=1.0, border=VARIED.border)
PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("rotation 20°", ("rotation_degrees",)),
    ("translation 6 %", ("translation",)),
    ("crop 20 %", ("crop",)),
    ("zoom 20 %, mirror", ("zoom", "flip")),
    ("brightness 20 %", ("brightness",)),
    ("contrast 20 %", ("contrast",)),
    ("gamma 0.2", ("gamma",)),
    ("time gain 20 %", ("time_gain",)),
    ("speckle 8 %", ("speckle",)),
    ("blur 0.8 px", ("blur_px",)),
)


def main() -> None:
    """Draw the picture."""
    frame = phantom_frame()
    panels = [("frame", frame), *((title, most_changed(frame, names)) for title, names in PANELS)]
    panels.append(("as drawn together", augment(frame[None], _drawn(VARIED, ["7"]))[0]))
    figure = Figure(figsize=(8.0, 6.3), layout="constrained")
    for axis, (title, pixels) in zip(figure.subplots(3, 4).flat, panels, strict=True):
        axis.imshow(pixels)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    Image.open(drawn).convert("L").save(PICTURE, optimize=True)


def phantom_frame() -> UInt8Array:
    """A frame of a simulated patient, as the network sees it."""
    with tempfile.TemporaryDirectory() as folder:
        cohort = write_cohort(Path(folder), config=PhantomConfig(patients=1, frames_per_patient=1, seed=5, workers=1))
        (path,) = cohort.images.glob("*.jpg")
        return Preprocessing(SIZE)(np.asarray(cv2.imread(str(path))[..., ::-1], np.uint8))  # type: ignore[index]


def most_changed(frame: UInt8Array, names: tuple[str, ...]) -> UInt8Array:
    """The frame under these changes alone: of many draws, the one that changes it most."""
    only = dataclasses.replace(STILL, **{name: getattr(VARIED, name) for name in names})
    changed = augment(np.repeat(frame[None], len(DRAWS), axis=0), _drawn(only, DRAWS))
    distance = np.abs(changed.astype(int) - frame).mean(axis=(1, 2, 3))
    return np.asarray(changed[int(distance.argmax())], np.uint8)


def _drawn(augmentation: Augmentation, ids: list[str]) -> Changes:
    return draw(ids, augmentation=augmentation, seed=0, epoch=0, size=SIZE)


if __name__ == "__main__":
    main()
