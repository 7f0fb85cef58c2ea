"""Synthetic frames: speckle of one machine with one sector, one logo and one text, and views made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Views = dict[str, Frame]

SIDE_PX = 240


@dataclass(frozen=True)
class Planted:
    """Frames, the patient that each shows, and the true 2 x 3 map of each view from its patient's frame."""

    frames: Views
    patient: dict[str, str]
    maps: dict[str, NDArray[np.float64]]


def tissue_frame(seed: int, *, overlays: bool = True) -> Frame:
    """Fully developed speckle over ellipses, log-compressed, inside a sector, with the machine's overlays."""
    rng = np.random.default_rng(seed)
    field = rng.standard_normal((2, SIDE_PX, SIDE_PX)).astype(np.float32)
    real, imaginary = (cv2.GaussianBlur(part, (0, 0), sigmaX=1.6, sigmaY=1.0) for part in field)
    envelope = np.sqrt(real**2 + imaginary**2) * _echogenicity(rng)
    grey = 120 + 38 * np.log(envelope / envelope.mean() + 1e-3)
    frame = cv2.cvtColor(np.clip(grey, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return _with_overlays(frame) if overlays else frame.astype(np.uint8)


def _echogenicity(rng: np.random.Generator) -> NDArray[np.float32]:
    scale = np.ones((SIDE_PX, SIDE_PX), np.float32)
    for _ in range(9):
        centre = tuple(int(v) for v in rng.integers(40, SIDE_PX - 40, 2))
        axes = tuple(int(v) for v in rng.integers(8, 45, 2))
        cv2.ellipse(scale, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.1, 3.0)), -1)
    return np.asarray(cv2.GaussianBlur(scale, (0, 0), 1.0), np.float32)


def _with_overlays(frame: NDArray[np.generic]) -> Frame:
    sector = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.ellipse(sector, (SIDE_PX // 2, -20), (250, 250), 0, 40, 140, 255, -1)
    cv2.circle(sector, (SIDE_PX // 2, -20), 50, 0, -1)
    shown = np.where(sector[..., None] > 0, frame, 0).astype(np.uint8)
    cv2.putText(shown, "ACME 7.5MHz", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    cv2.putText(shown, "LT OVARY", (150, 232), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 230, 0), 1)
    for depth in range(20, SIDE_PX, 20):
        cv2.line(shown, (234, depth), (239, depth), (200, 200, 200), 1)
    cv2.rectangle(shown, (4, 60), (10, 160), (180, 180, 180), -1)
    return shown


def _crop(x: int, y: int, width: int, height: int, zoom_x: float, zoom_y: float) -> NDArray[np.float64]:
    """The map of `cv2.resize(frame[y:y+height, x:x+width])` in pixel coordinates."""
    return np.array([[zoom_x, 0, (0.5 - x) * zoom_x - 0.5], [0, zoom_y, (0.5 - y) * zoom_y - 0.5]], dtype=np.float64)


def _moved(frame: Frame, transform: NDArray[np.float64], size: tuple[int, int]) -> Frame:
    return np.asarray(cv2.warpAffine(frame, transform, size, flags=cv2.INTER_LINEAR), np.uint8)


def _jpeg(frame: Frame, quality: int) -> Frame:
    _, content = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def _annotated(frame: Frame) -> Frame:
    drawn = frame.copy()
    cv2.putText(drawn, "2.31 cm", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 255, 0), 2)
    cv2.line(drawn, (60, 150), (180, 170), (255, 255, 0), 2)
    return drawn


MIRROR = np.array([[-1.0, 0.0, SIDE_PX - 1.0], [0.0, 1.0, 0.0]])
ROTATION = np.asarray(cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), 9.0, 1.05), np.float64)
STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
SQUARE = (SIDE_PX, SIDE_PX)

VIEWS: dict[str, tuple[NDArray[np.float64], tuple[int, int], Callable[[Frame], Frame]]] = {
    "crop": (_crop(30, 40, 170, 170, 1.4, 1.4), (238, 238), lambda frame: frame),
    "shift": (np.array([[1.0, 0.0, 35.0], [0.0, 1.0, -28.0]]), SQUARE, lambda frame: frame),
    "zoom": (_crop(60, 70, 120, 120, 2.0, 2.0), SQUARE, lambda frame: frame),
    "flip": (MIRROR, SQUARE, lambda frame: frame),
    "rotation": (ROTATION, SQUARE, lambda frame: frame),
    "stretch": (_crop(0, 20, 240, 200, 1.25, 0.8), (300, 160), lambda frame: frame),
    "brightness": (STILL, SQUARE, lambda frame: np.clip(frame * 0.7 + 30.0, 0, 255).astype(np.uint8)),
    "jpeg": (STILL, SQUARE, lambda frame: _jpeg(frame, 25)),
    "overlay": (STILL, SQUARE, _annotated),
    "identical": (STILL, SQUARE, lambda frame: frame.copy()),
}


def plant() -> Planted:
    """Fourteen patients of one machine; one view of each kind, of ten of them."""
    frames: Views = {f"p{number:02d}": tissue_frame(number) for number in range(14)}
    patient = {name: name for name in frames}
    maps: dict[str, NDArray[np.float64]] = {}
    for number, (kind, (transform, size, change)) in enumerate(VIEWS.items()):
        own = f"p{number:02d}"
        name = f"{own}-{kind}"
        frames[name] = change(_moved(frames[own], transform, size))
        patient[name], maps[name] = own, transform
    return Planted(frames, patient, maps)
