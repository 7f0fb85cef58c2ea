"""What a phantom cohort is asked to be, and what of it was written where."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from sonoproof.errors import ConfigError


@dataclass(frozen=True)
class PhantomConfig:
    """The cohort to simulate, and the defects to plant in it (none by default).

    Attributes:
        patients: Number of patients.
        frames_per_patient: Frames of each patient. From 4 on they are divided over two clips, one an ovary.
        size_px: Longer side of a frame in pixels.
        seed: The same seed gives the same bytes, whatever the number of workers.
        polycystic_share: Share of the patients with polycystic ovaries, 0 to 1.
        image_format: File format of the frames.
        workers: Processes that simulate; 0 takes one per processor, 1 stays in this process.
        caliper: Burn a measuring caliper into every frame of the unhealthy class.
        text: Burn an annotation into every frame of the unhealthy class.
        size_shortcut: Write the frames of the healthy class smaller (7/8) than those of the unhealthy class.
        wrong_labels: Share of the frames whose row in the sheet has the wrong label.
        exact_duplicates: Share of the frames that get a byte-identical twin under another name.
        recrops: Number of re-cropped copies as a share of the frames; above 1 some frames get several.
        unreadable: Share of the frames whose file is damaged.

    Raises:
        ConfigError: A value is out of range, or more frames are to be made defective than there are.
    """

    patients: int = 60
    frames_per_patient: int = 10
    size_px: int = 224
    seed: int = 0
    polycystic_share: float = 0.5
    image_format: Literal["jpg", "png"] = "jpg"
    workers: int = 0
    caliper: bool = False
    text: bool = False
    size_shortcut: bool = False
    wrong_labels: float = 0.0
    exact_duplicates: float = 0.0
    recrops: float = 0.0
    unreadable: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"phantom: {name} is {value}, but must be between {low} and {high}")
        if self.image_format not in ("jpg", "png"):
            raise ConfigError(f"phantom: image_format is {self.image_format!r}, but must be 'jpg' or 'png'")
        if self.wrong_labels + self.exact_duplicates + self.unreadable > 1:
            raise ConfigError(
                "phantom: wrong_labels, exact_duplicates and unreadable are shares of different frames; "
                "together they must not exceed 1"
            )

    @property
    def frames(self) -> int:
        """Number of simulated frames, planted copies not counted."""
        return self.patients * self.frames_per_patient

    def content(self) -> dict[str, int | float | bool | str]:
        """Everything that decides the content of the cohort: all settings but the number of workers."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "workers"}


_RANGES: dict[str, tuple[float, float]] = {
    "patients": (1, 9999),
    "frames_per_patient": (1, 500),
    "size_px": (32, 2048),
    "seed": (0, 2**63 - 1),
    "polycystic_share": (0, 1),
    "workers": (0, 1024),
    "wrong_labels": (0, 1),
    "exact_duplicates": (0, 1),
    "recrops": (0, 20),
    "unreadable": (0, 1),
}


@dataclass(frozen=True)
class PhantomCohort:
    """Where a cohort was written.

    Attributes:
        sheet: Excel sheet with the columns ``imagePath``, ``Healthy``, ``patient_id``, ``clip``.
        images: Folder with the frames; ``imagePath`` is relative to it.
        masks: Folder with one PNG a frame, of the frame's name and size: 0 background, 1 ovary, 2 follicle.
        truth: JSON with the seed, every parameter and every planted defect. It is written last.
        rows: Rows of the sheet.
    """

    sheet: Path
    images: Path
    masks: Path
    truth: Path
    rows: int
