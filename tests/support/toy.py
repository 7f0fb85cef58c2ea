"""Frames on which a small network learns in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonoproof.classes import Classes
from sonoproof.config import FitConfig, ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.runfolder import RunFolder
from sonoproof.training.batches import Rows
from sonoproof.training.bundle import ModelBundle
from sonoproof.training.features import LoadFeatures
from sonoproof.training.fit import fit
from sonoproof.training.job import Parts, TrainingJob
from sonoproof.training.model_spec import ModelSpec

SIZE = 32


@dataclass(frozen=True)
class Toy:
    """Noise frames; those of the positive class have a bright square. Four frames a group."""

    frames: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]

    @property
    def image_ids(self) -> list[str]:
        return [f"frame{k}" for k in range(len(self.frames))]

    def load(self, image_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
        return self.frames[[int(image_id.removeprefix("frame")) for image_id in image_ids]]

    def load_features(self, image_ids: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.load(image_ids).reshape(len(image_ids), -1)[:, ::17].astype(np.float32)

    def rows(self, start: int, stop: int) -> Rows:
        groups = tuple(f"group{k // 4}" for k in range(start, stop))
        return Rows(tuple(self.image_ids[start:stop]), self.targets[start:stop], groups)

    def parts(self) -> Parts:
        return Parts(train=self.rows(0, 64), stop=self.rows(64, 88), val=self.rows(88, 120))

    def fit(self, out: Path, config: FitConfig, *, resume: bool = False, width: float = 0.25) -> ModelBundle:
        job = self.job(config, model=ModelConfig(backbone="random", width=width, device="cpu"))
        return fit(job, RunFolder(out), resume=resume)

    def job(self, config: FitConfig, *, model: ModelConfig, load_features: LoadFeatures | None = None) -> TrainingJob:
        return TrainingJob(
            parts=self.parts(),
            load=self.load,
            load_features=load_features or self.load_features,
            spec=ModelSpec(Classes("healthy", "unhealthy"), Preprocessing(SIZE), cohort_sha256="cohort"),
            model=model,
            config=config,
        )


def make_toy(seed: int = 0) -> Toy:
    rng = np.random.default_rng(seed)
    targets = (rng.random(120) < 0.4).astype(np.float32)
    frames = rng.integers(0, 120, (120, SIZE, SIZE, 1), dtype=np.uint8).repeat(3, axis=3)
    frames[targets > 0.5, 8:20, 8:20] += 110
    return Toy(frames, targets)
