"""One patient of the cohort, drawn, scanned and written independently of all others: patients can run in parallel."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.special import ndtr

from sonoproof.phantom.anatomy import Ovary, draw_ovary
from sonoproof.phantom.plan import PatientJob
from sonoproof.phantom.planting import apply_recrop, burn_caliper, burn_text, damage, draw_recrop
from sonoproof.phantom.scanner import Frame, draw_settings, place_in_view, sweep
from sonoproof.phantom.scene import Scene, draw_scene
from sonoproof.types import UInt8Array

_TISSUE_PARAMETERS = ("stroma_db", "capsule_db", "wall_db", "slice_sigma_mm", "deformation_mm")
_LIKENESS_OF_SIDES = 0.6
"""Correlation of the two ovaries' sizes."""
_SMALLER = 7 / 8
"""Relative size of the healthy class's frames where a size shortcut is planted."""
_QUALITY = 92
"""JPEG quality of the simulated frames."""


@dataclass(frozen=True)
class WrittenPatient:
    """What a worker reports back.

    Attributes:
        truth: The patient's entry in the truth file.
        rows: The patient's rows of the sheet: file name, healthy (1) or not (0), patient, clip.
        planted: The planted defects, wrong labels last.
    """

    truth: dict[str, Any]
    rows: list[tuple[str, int, str, str]]
    planted: list[dict[str, Any]]


class _Files:
    """Writes the files of one patient and keeps a list of them and of what was planted.

    Attributes:
        names: File names of the images, the simulated frames first.
        planted: The planted defects.
    """

    def __init__(self, job: PatientJob, rng: np.random.Generator) -> None:
        self.names: list[str] = []
        self.planted: list[dict[str, Any]] = []
        self._job, self._rng = job, rng
        self._numbers: Counter[str] = Counter()

    def add_frame(self, clip: str, frame: Frame) -> str:
        """Write a simulated frame and its mask; returns the name of the image."""
        name = self._new_name(clip)
        image = np.repeat(frame.image[..., None], 3, axis=2)
        if self._job.config.caliper and self._job.polycystic:
            self._note("caliper", name, burn_caliper(image, frame.mask))
        if self._job.config.text and self._job.polycystic:
            self._note("text", name, burn_text(image, self._rng))
        self._save(name, image, frame.mask, _QUALITY)
        return name

    def plant(self) -> None:
        """Plant the defects of files and labels, once all frames are written."""
        defects, healthy = self._job.defects, self._job.healthy
        for index in defects.duplicates:
            self._add_twin(self.names[index])
        for index in defects.recrops:
            self._add_recrop(self.names[index])
        for index in defects.unreadable:
            self._damage(self.names[index])
        for index in defects.wrong_labels:
            self._note("wrong label", self.names[index], {"true": healthy, "written": 1 - healthy})

    def rows(self) -> list[tuple[str, int, str, str]]:
        """The rows of the sheet, some with the wrong label."""
        labels = [self._job.healthy] * len(self.names)
        for index in self._job.defects.wrong_labels:
            labels[index] = 1 - self._job.healthy
        return [
            (name, label, self._job.patient_id, _clip_of(name)) for name, label in zip(self.names, labels, strict=True)
        ]

    def _add_twin(self, source: str) -> None:
        """Copy an image and its mask to another name."""
        name = self._new_name(_clip_of(source))
        shutil.copyfile(self._image(source), self._image(name))
        shutil.copyfile(self._mask(source), self._mask(name))
        self._note("exact duplicate", name, {"source": source})

    def _add_recrop(self, source: str) -> None:
        """Write a re-cropped copy of an image and its mask."""
        name = self._new_name(_clip_of(source))
        image, mask = (np.asarray(Image.open(path)) for path in (self._image(source), self._mask(source)))
        recrop = draw_recrop(self._rng, width=mask.shape[1], height=mask.shape[0])
        self._save(name, *apply_recrop(image, mask, recrop), recrop["quality"])
        self._note("re-crop", name, {"source": source, **recrop})

    def _damage(self, name: str) -> None:
        way, content = damage(self._image(name).read_bytes(), self._rng)
        self._image(name).write_bytes(content)
        self._note("unreadable", name, {"damage": way})

    def _new_name(self, clip: str) -> str:
        """The next name in a clip; copies are numbered after its simulated frames."""
        self._numbers[clip] += 1
        self.names.append(f"{clip}_f{self._numbers[clip]:02d}.{self._job.config.image_format}")
        return self.names[-1]

    def _save(self, name: str, image: UInt8Array, mask: UInt8Array, quality: int) -> None:
        """Write a JPEG (4:4:4) or PNG without metadata, and the mask as a PNG."""
        Image.fromarray(image).save(self._image(name), quality=quality, subsampling=0)
        Image.fromarray(mask).save(self._mask(name))

    def _note(self, kind: str, name: str, details: dict[str, Any]) -> None:
        self.planted.append({"kind": kind, "image": name, **details})

    def _image(self, name: str) -> Path:
        return self._job.cohort.images / name

    def _mask(self, name: str) -> Path:
        return (self._job.cohort.masks / name).with_suffix(".png")


def write_patient(job: PatientJob) -> WrittenPatient:
    """Simulate a patient and write frames and masks. Depends on nothing but the job."""
    rng, planting = (np.random.default_rng(seed) for seed in job.seed.spawn(2))
    settings = draw_settings(rng)
    size_factor = rng.normal()
    smaller = job.config.size_shortcut and not job.polycystic
    size_px = round(job.config.size_px * _SMALLER) if smaller else job.config.size_px
    files = _Files(job, planting)
    clips: list[dict[str, Any]] = []
    for number, length in enumerate(_clip_lengths(job.config.frames_per_patient), start=1):
        clip = f"{job.patient_id}_c{number}"
        ovary = place_in_view(rng, _draw_side(rng, size_factor, polycystic=job.polycystic), settings)
        scene = draw_scene(rng, ovary=ovary)
        frames = sweep(rng, scene=scene, settings=settings, frames=length, size_px=size_px)
        names = [files.add_frame(clip, frame) for frame in frames]
        clips.append(_clip_truth(clip, scene, frames, names))
    files.plant()
    truth = {
        "patient_id": job.patient_id,
        "polycystic": job.polycystic,
        "healthy": job.healthy,
        "scanner": {**asdict(settings), "white_db": settings.white_db},
        "mm_per_px": settings.sector(size_px=size_px).mm_per_px,
        "clips": clips,
    }
    return WrittenPatient(truth=truth, rows=files.rows(), planted=files.planted)


def _clip_lengths(frames: int) -> tuple[int, ...]:
    """Frames of each clip: one clip per ovary from 4 frames on, otherwise a single clip."""
    return (frames,) if frames < 4 else ((frames + 1) // 2, frames // 2)


def _clip_of(name: str) -> str:
    return name.rpartition("_")[0]


def _draw_side(rng: np.random.Generator, size_factor: float, *, polycystic: bool) -> Ovary:
    own = _LIKENESS_OF_SIDES**0.5 * size_factor + (1 - _LIKENESS_OF_SIDES) ** 0.5 * rng.normal()
    return draw_ovary(rng, polycystic=polycystic, size_quantile=float(ndtr(own)))


def _clip_truth(clip: str, scene: Scene, frames: Sequence[Frame], names: Sequence[str]) -> dict[str, Any]:
    ovary = scene.ovary
    follicles = zip(ovary.follicle_centres_mm, ovary.follicle_diameters_mm, strict=True)
    return {
        "clip": clip,
        "ovary": {
            "volume_ml": ovary.shape.volume_ml,
            **asdict(ovary.shape),
            "peripheral": ovary.peripheral,
            "follicle_count": len(ovary.follicle_diameters_mm),
            "follicles": [{"centre_mm": centre, "diameter_mm": diameter} for centre, diameter in follicles],
        },
        "tissue": {name: getattr(scene, name) for name in _TISSUE_PARAMETERS},
        "neighbours": [asdict(neighbour) for neighbour in scene.neighbours],
        "frames": [_frame_truth(frame, name) for frame, name in zip(frames, names, strict=True)],
    }


def _frame_truth(frame: Frame, name: str) -> dict[str, Any]:
    return {
        "image": name,
        "mask": str(Path(name).with_suffix(".png")),
        "section_y_mm": frame.y_mm,
        "shift_mm": frame.shift_mm,
        "speckle_correlation": frame.correlation,
        "visible_follicles": sum(disc.visible for disc in frame.follicles),
        "sections": [asdict(disc) for disc in frame.follicles],
    }
