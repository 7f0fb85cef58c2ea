"""Who is in the cohort and which frames get which defect, decided before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sonoproof.errors import ConfigError
from sonoproof.phantom.settings import PhantomCohort, PhantomConfig


@dataclass(frozen=True)
class Defects:
    """The defective frames of one patient, counted from 0 over all clips. No frame has two of these defects.

    Attributes:
        unreadable: Frames whose file is damaged.
        wrong_labels: Frames whose label in the sheet is wrong.
        duplicates: Frames that get a byte-identical twin.
        recrops: Frames that get a re-cropped copy; a frame listed twice gets two.
    """

    unreadable: Sequence[int]
    wrong_labels: Sequence[int]
    duplicates: Sequence[int]
    recrops: Sequence[int]


@dataclass(frozen=True)
class PatientJob:
    """All that a worker needs to write one patient.

    Attributes:
        patient_id: A name that says nothing about the class.
        polycystic: The class.
        defects: The frames to make defective.
        seed: Seed of this patient alone.
        config: What is asked for.
        cohort: Where to write.
    """

    patient_id: str
    polycystic: bool
    defects: Defects
    seed: np.random.SeedSequence
    config: PhantomConfig
    cohort: PhantomCohort

    @property
    def healthy(self) -> int:
        """The true label in the sheet."""
        return int(not self.polycystic)


def plan_jobs(config: PhantomConfig, cohort: PhantomCohort) -> list[PatientJob]:
    """One job per patient, the classes in random order.

    Raises:
        ConfigError: No frame is left to be re-cropped.
    """
    plan_seed, *seeds = np.random.SeedSequence(config.seed).spawn(1 + config.patients)
    rng = np.random.default_rng(plan_seed)
    defects = _plan_defects(rng, config)
    polycystic = rng.permutation(np.arange(config.patients) < round(config.polycystic_share * config.patients))
    return [
        PatientJob(f"p{number:03d}", bool(is_polycystic), of_patient, seed, config, cohort)
        for number, (is_polycystic, of_patient, seed) in enumerate(zip(polycystic, defects, seeds, strict=True), 1)
    ]


def _plan_defects(rng: np.random.Generator, config: PhantomConfig) -> list[Defects]:
    """Choose frames for each defect at random, whatever their class; returns them by patient."""
    shares = (config.unreadable, config.wrong_labels, config.exact_duplicates)
    ends = np.cumsum([round(share * config.frames) for share in shares])
    *defective, sound = np.split(rng.permutation(config.frames), ends)
    recrops = round(config.recrops * config.frames)
    if recrops and not len(sound):
        raise ConfigError("phantom: every frame already has another defect, so none is left for recrops")
    chosen = sound[:recrops] if recrops <= len(sound) else rng.choice(sound, size=recrops)
    by_patient = (_by_patient(frames.tolist(), config) for frames in (*defective, chosen))
    return [Defects(*of_patient) for of_patient in zip(*by_patient, strict=True)]


def _by_patient(frames: Iterable[int], config: PhantomConfig) -> list[list[int]]:
    """Split numbers counted over the whole cohort into each patient's own, in ascending order."""
    split: list[list[int]] = [[] for _ in range(config.patients)]
    for frame in sorted(frames):
        patient, number = divmod(frame, config.frames_per_patient)
        split[patient].append(number)
    return split
