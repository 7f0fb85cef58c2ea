"""A small phantom cohort and a network trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

from sonoproof.explanation.methods import network_input
from sonoproof.phantom import PhantomCohort

SIDE = 64


class SmallNet(nn.Module):
    """Three convolutions with batch norm, as small as can tell the phantom's classes apart."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 12), (12, 24), (24, 32)):
            layers += [nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(32, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(frames).mean(dim=(2, 3)))
        return logits.squeeze(-1)


@dataclass(frozen=True)
class TrainedPhantom:
    """Frames, masks, predictions and the network that made them."""

    frames: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    predictions: pd.DataFrame
    network: nn.Module

    def load(self, image_ids: object) -> npt.NDArray[np.uint8]:
        return np.stack([self.frames[self._position(image_id)] for image_id in image_ids])  # type: ignore[attr-defined]

    def mask(self, image_id: str) -> npt.NDArray[np.bool_]:
        mask: npt.NDArray[np.bool_] = self.masks[self._position(image_id)]
        return mask

    def _position(self, image_id: str) -> int:
        return list(self.predictions["image_id"]).index(image_id)


def train_on_phantom(cohort: PhantomCohort) -> TrainedPhantom:
    sheet = pd.read_excel(cohort.sheet, engine="calamine").sort_values("imagePath", ignore_index=True)
    frames = np.stack([_square(cohort.images / name) for name in sheet["imagePath"]])
    masks = np.stack([_square(cohort.masks / name)[..., 0] > 0 for name in sheet["imagePath"]])
    targets = 1 - sheet["Healthy"].to_numpy()
    network = _train(frames, targets)
    return TrainedPhantom(frames, masks, _predictions(sheet, targets, frames, network), network)


def _square(path: Path) -> npt.NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    nearest = "masks" in path.parts
    resized = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST if nearest else cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def _train(frames: npt.NDArray[np.uint8], targets: npt.NDArray[np.int64]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallNet()
    inputs, wanted = network_input(frames, like=network), torch.from_numpy(targets).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    for _ in range(30):
        for batch in np.array_split(rng.permutation(len(frames)), 6):
            loss = nn.functional.binary_cross_entropy_with_logits(network(inputs[batch]), wanted[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network.eval()


def _predictions(
    sheet: pd.DataFrame, targets: npt.NDArray[np.int64], frames: npt.NDArray[np.uint8], network: nn.Module
) -> pd.DataFrame:
    with torch.no_grad():
        logits = network(network_input(frames, like=network)).double().numpy()
    names = np.array(["healthy", "unhealthy"])
    return pd.DataFrame(
        {
            "image_id": sheet["imagePath"],
            "path": "/frames/" + sheet["imagePath"],
            "group": sheet["patient_id"].astype(str),
            "source": "",
            "label": names[targets],
            "target": targets.astype(float),
            "logit": logits,
            "probability": 1 / (1 + np.exp(-logits)),
            "predicted": names[(logits >= 0).astype(int)],
        }
    )
