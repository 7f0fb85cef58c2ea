"""Who is in the cohort and which frames get which defect, decided before anything is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoproof.errors import ConfigError
from sonoproof.phantom.patient import PatientJob
from sonoproof.phantom.settings import PhantomConfig

_SMALLER = 7 / 8
"""Size of the healthy class's frames where a size shortcut is planted."""


@dataclass(frozen=True)
class Defects:
    """Frames by their number in the cohort, counted from 0 over all patients. No frame has two of these defects.

    Attributes:
        unreadable: Frames whose file is damaged.
        wrong_labels: Frames whose row of the sheet is wrong.
        duplicates: Frames that get a byte-identical twin.
        recrops: Frames that get a re-cropped copy, as often as they are named.
    """

    unreadable: frozenset[int]
    wrong_labels: frozenset[int]
    duplicates: frozenset[int]
    recrops: tuple[int, ...]


def plan_defects(rng: np.random.Generator, config: PhantomConfig) -> Defects:
    """Choose frames for each defect at random, whatever their class.

    Raises:
        ConfigError: No frame is left to be re-cropped.
    """
    order = [int(frame) for frame in rng.permutation(config.frames)]
    taken = []
    for share in (config.unreadable, config.wrong_labels, config.exact_duplicates):
        number = min(round(share * config.frames), len(order))
        taken.append(frozenset(order[:number]))
        order = order[number:]
    recrops = round(config.recrops * config.frames)
    if recrops and not order:
        raise ConfigError("phantom: every frame has another defect already, so none is left for recrops")
    chosen = order[:recrops] if recrops <= len(order) else rng.choice(order, size=recrops).tolist()
    return Defects(unreadable=taken[0], wrong_labels=taken[1], duplicates=taken[2], recrops=tuple(sorted(chosen)))


def plan_jobs(
    rng: np.random.Generator,
    config: PhantomConfig,
    defects: Defects,
    seeds: Sequence[np.random.SeedSequence],
    *,
    images: Path,
    masks: Path,
) -> list[PatientJob]:
    """One job a patient, the classes in random order.

    Args:
        rng: Source of randomness.
        config: What is asked for.
        defects: Which frames are to be defective.
        seeds: One per patient.
        images: Folder for the frames.
        masks: Folder for the masks.
    """
    polycystic = np.arange(config.patients) < round(config.polycystic_share * config.patients)
    return [
        _job(number, bool(is_polycystic), config, defects, seed, images=images, masks=masks)
        for number, (is_polycystic, seed) in enumerate(zip(rng.permutation(polycystic), seeds, strict=True))
    ]


def _job(
    number: int,
    polycystic: bool,
    config: PhantomConfig,
    defects: Defects,
    seed: np.random.SeedSequence,
    *,
    images: Path,
    masks: Path,
) -> PatientJob:
    first, frames = number * config.frames_per_patient, config.frames_per_patient
    smaller = config.size_shortcut and not polycystic
    return PatientJob(
        patient_id=f"p{number + 1:03d}",
        polycystic=polycystic,
        frames=frames,
        size_px=round(config.size_px * _SMALLER) if smaller else config.size_px,
        image_format=config.image_format,
        caliper=config.caliper and polycystic,
        text=config.text and polycystic,
        unreadable=_of_patient(sorted(defects.unreadable), first, frames),
        duplicates=_of_patient(sorted(defects.duplicates), first, frames),
        recrops=_of_patient(defects.recrops, first, frames),
        seed=seed,
        images=images,
        masks=masks,
    )


def _of_patient(chosen: Sequence[int], first: int, frames: int) -> tuple[int, ...]:
    return tuple(frame - first for frame in chosen if first <= frame < first + frames)
