"""One patient of the cohort: drawn, scanned and written by itself, so that patients can be simulated in parallel."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import ndtr

from sonoproof.phantom.anatomy import Ovary, draw_ovary
from sonoproof.phantom.planting import (
    apply_recrop,
    burn_caliper,
    burn_text,
    damage,
    draw_recrop,
    encode,
)
from sonoproof.phantom.scanner import Frame, draw_settings, place_in_view, sweep
from sonoproof.phantom.scene import Scene, draw_scene

_TISSUE_PARAMETERS = ("stroma_db", "capsule_db", "wall_db", "slice_sigma_mm", "deformation_mm")
_LIKENESS_OF_SIDES = 0.6
"""Correlation of the two ovaries' sizes."""


@dataclass(frozen=True)
class PatientJob:
    """All that a worker needs to write one patient. Frames are counted over all clips, from 0.

    Attributes:
        patient_id: Name, free of the class.
        polycystic: The class.
        frames: Number of frames to simulate.
        size_px: Longer side of the frames.
        image_format: ``jpg`` or ``png``.
        caliper: Whether to burn in a caliper.
        text: Whether to burn in a note.
        unreadable: Frames whose file is damaged.
        duplicates: Frames that get a byte-identical twin.
        recrops: Frames that get a re-cropped copy, as often as they are named.
        seed: Seed of this patient alone.
        images: Folder for the frames.
        masks: Folder for the masks.
    """

    patient_id: str
    polycystic: bool
    frames: int
    size_px: int
    image_format: str
    caliper: bool
    text: bool
    unreadable: tuple[int, ...]
    duplicates: tuple[int, ...]
    recrops: tuple[int, ...]
    seed: np.random.SeedSequence
    images: Path
    masks: Path


@dataclass(frozen=True)
class WrittenPatient:
    """What a worker reports back.

    Attributes:
        truth: The patient's entry in the truth file.
        rows: File name and clip of every file, the simulated frames first, in their order.
        planted: The planted defects.
    """

    truth: dict[str, Any]
    rows: tuple[tuple[str, str], ...]
    planted: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Written:
    name: str
    clip: str
    content: bytes
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    def decoded(self) -> NDArray[np.uint8]:
        """The pixels as a reader of the file gets them."""
        return np.asarray(Image.open(io.BytesIO(self.content)), dtype=np.uint8)


def clip_lengths(frames: int) -> tuple[int, ...]:
    """Frames of each clip: one clip an ovary from 4 frames on, else one clip."""
    return (frames,) if frames < 4 else ((frames + 1) // 2, frames // 2)


def write_patient(job: PatientJob) -> WrittenPatient:
    """Simulate a patient and write frames and masks. Depends on nothing but the job."""
    anatomy_seed, planting_seed = job.seed.spawn(2)
    rng = np.random.default_rng(anatomy_seed)
    planting = np.random.default_rng(planting_seed)
    settings = draw_settings(rng)
    size_factor = rng.normal()
    clips: list[dict[str, Any]] = []
    written: list[_Written] = []
    planted: list[dict[str, Any]] = []
    for number, length in enumerate(clip_lengths(job.frames), start=1):
        clip = f"{job.patient_id}_c{number}"
        ovary = place_in_view(rng, _draw_side(rng, job, size_factor), settings)
        scene = draw_scene(rng, ovary=ovary)
        frames = sweep(rng, scene=scene, settings=settings, frames=length, size_px=job.size_px)
        files = [_write_frame(job, clip, index, frame, planting, planted) for index, frame in enumerate(frames)]
        written += files
        clips.append(_clip_truth(clip, scene, frames, files))
    copies = _write_copies(job, written, planting, planted)
    _damage_files(job, written, planting, planted)
    truth = {
        "patient_id": job.patient_id,
        "polycystic": job.polycystic,
        "healthy": int(not job.polycystic),
        "scanner": {**asdict(settings), "white_db": settings.white_db},
        "mm_per_px": settings.sector(size_px=job.size_px).mm_per_px,
        "clips": clips,
    }
    rows = tuple((file.name, file.clip) for file in [*written, *copies])
    return WrittenPatient(truth=truth, rows=rows, planted=tuple(planted))


def _draw_side(rng: np.random.Generator, job: PatientJob, size_factor: float) -> Ovary:
    own = _LIKENESS_OF_SIDES**0.5 * size_factor + (1 - _LIKENESS_OF_SIDES) ** 0.5 * rng.normal()
    return draw_ovary(rng, polycystic=job.polycystic, size_quantile=float(ndtr(own)))


def _write_frame(
    job: PatientJob,
    clip: str,
    index: int,
    frame: Frame,
    planting: np.random.Generator,
    planted: list[dict[str, Any]],
) -> _Written:
    name = f"{clip}_f{index + 1:02d}.{job.image_format}"
    image = np.repeat(frame.image[..., None], 3, axis=2)
    if job.caliper:
        planted.append({"kind": "caliper", "image": name, **burn_caliper(image, frame.mask)})
    if job.text:
        planted.append({"kind": "text", "image": name, **burn_text(image, planting)})
    return _save(job, name, clip, image, frame.mask)


def _save(
    job: PatientJob, name: str, clip: str, image: NDArray[np.uint8], mask: NDArray[np.uint8], quality: int = 92
) -> _Written:
    content = encode(image, image_format=job.image_format, quality=quality)
    (job.images / name).write_bytes(content)
    (job.masks / name).with_suffix(".png").write_bytes(encode(mask, image_format="png"))
    return _Written(name=name, clip=clip, content=content, image=image, mask=mask)


def _write_copies(
    job: PatientJob, written: Sequence[_Written], planting: np.random.Generator, planted: list[dict[str, Any]]
) -> list[_Written]:
    """Twins and re-crops, numbered on after the frames of their clip."""
    numbers = {file.clip: sum(other.clip == file.clip for other in written) for file in written}
    copies = []
    for source, exact in [*((i, True) for i in job.duplicates), *((i, False) for i in job.recrops)]:
        original = written[source]
        numbers[original.clip] += 1
        name = f"{original.clip}_f{numbers[original.clip]:02d}.{job.image_format}"
        entry: dict[str, Any] = {"kind": "exact duplicate" if exact else "re-crop", "image": name}
        entry["source"] = original.name
        if exact:
            copies.append(_save(job, name, original.clip, original.image, original.mask))
        else:
            height, width = original.mask.shape
            recrop = draw_recrop(planting, width=width, height=height)
            image, mask = apply_recrop(original.decoded(), original.mask, recrop)
            copies.append(_save(job, name, original.clip, image, mask, recrop.quality))
            entry |= asdict(recrop)
        planted.append(entry)
    return copies


def _damage_files(
    job: PatientJob, written: Sequence[_Written], planting: np.random.Generator, planted: list[dict[str, Any]]
) -> None:
    for index in job.unreadable:
        file = written[index]
        way, content = damage(file.content, planting)
        (job.images / file.name).write_bytes(content)
        planted.append({"kind": "unreadable", "image": file.name, "damage": way})


def _clip_truth(clip: str, scene: Scene, frames: Sequence[Frame], files: Sequence[_Written]) -> dict[str, Any]:
    ovary = scene.ovary
    follicles = zip(ovary.follicle_centres_mm, ovary.follicle_diameters_mm, strict=True)
    return {
        "clip": clip,
        "ovary": {
            "volume_ml": ovary.shape.volume_ml,
            "semi_axes_mm": ovary.shape.semi_axes_mm,
            "centre_mm": ovary.shape.centre_mm,
            "rotation": ovary.shape.rotation,
            "peripheral": ovary.peripheral,
            "follicle_count": len(ovary.follicle_diameters_mm),
            "follicles": [{"centre_mm": centre, "diameter_mm": diameter} for centre, diameter in follicles],
        },
        "tissue": {name: getattr(scene, name) for name in _TISSUE_PARAMETERS},
        "neighbours": [asdict(neighbour) for neighbour in scene.neighbours],
        "frames": [_frame_truth(frame, file) for frame, file in zip(frames, files, strict=True)],
    }


def _frame_truth(frame: Frame, file: _Written) -> dict[str, Any]:
    return {
        "image": file.name,
        "mask": str(Path(file.name).with_suffix(".png")),
        "section_y_mm": frame.y_mm,
        "shift_mm": frame.shift_mm,
        "speckle_correlation": frame.correlation,
        "visible_follicles": sum(disc.visible for disc in frame.follicles),
        "sections": [asdict(disc) for disc in frame.follicles],
    }
