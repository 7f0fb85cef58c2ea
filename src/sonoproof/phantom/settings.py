"""The cohort that a phantom is asked for, and where it was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from sonoproof.config.checking import checked, settings_of
from sonoproof.config.tables import Between
from sonoproof.errors import ConfigError


@dataclass(frozen=True)
class PhantomConfig:
    """The cohort to simulate, and the defects to plant in it (none by default).

    Attributes:
        patients: Number of patients.
        frames_per_patient: Number of frames per patient. From 4 on they are divided over two clips, one per ovary.
        size_px: Longer side of a frame in pixels.
        seed: The same seed gives the same bytes, whatever the number of workers.
        polycystic_share: Share of the patients with polycystic ovaries.
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

    patients: Annotated[int, Between(1, 9999)] = 60
    frames_per_patient: Annotated[int, Between(1, 500)] = 10
    size_px: Annotated[int, Between(32, 2048)] = 224
    seed: Annotated[int, Between(0, 2**63 - 1)] = 0
    polycystic_share: Annotated[float, Between(0, 1)] = 0.5
    image_format: Literal["jpg", "png"] = "jpg"
    workers: Annotated[int, Between(0, 1024)] = 0
    caliper: bool = False
    text: bool = False
    size_shortcut: bool = False
    wrong_labels: Annotated[float, Between(0, 1)] = 0.0
    exact_duplicates: Annotated[float, Between(0, 1)] = 0.0
    recrops: Annotated[float, Between(0, 20)] = 0.0
    unreadable: Annotated[float, Between(0, 1)] = 0.0

    def __post_init__(self) -> None:
        for name, hint in settings_of(type(self)).items():
            checked(getattr(self, name), hint, name=f"phantom: {name}")
        if self.wrong_labels + self.exact_duplicates + self.unreadable > 1:
            raise ConfigError(
                "phantom: wrong_labels, exact_duplicates and unreadable are shares of different frames; "
                "together they must not exceed 1"
            )

    @property
    def frames(self) -> int:
        """Number of simulated frames, not counting planted copies."""
        return self.patients * self.frames_per_patient


@dataclass(frozen=True)
class PhantomCohort:
    """Where a cohort was written.

    Attributes:
        sheet: Excel sheet with the columns ``imagePath``, ``Healthy``, ``patient_id``, ``clip``.
        images: Folder with the frames; ``imagePath`` is relative to it.
        masks: Folder with one PNG per frame, of the frame's name and size: 0 background, 1 ovary, 2 follicle.
        truth: JSON with the seed, every parameter and every planted defect. It is written last.
        rows: Number of rows in the sheet.
    """

    sheet: Path
    images: Path
    masks: Path
    truth: Path
    rows: int
