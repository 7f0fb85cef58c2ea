"""How fast is a GPU: frames a second in training and scoring, and the share of the device's matrix peak.

For MobileNet V1 1.0 224, channels-last, in single precision, with TF32 and with bfloat16; and how far the logits of
each are from those of the processor in single precision. Then training in bfloat16 as a run does it, fed from the
store and augmented on the device: does the input keep it busy? Needs a CUDA device; says so and stops where there is
none.

    python benchmarks/gpu.py --batch 256
    python benchmarks/growth.py --frames 100000 --device cuda --no-lookalikes
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from sonoproof.config import FramesConfig, ModelConfig
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import open_store
from sonoproof.runfolder import sha256_of_file
from sonoproof.training.backbone import load_backbone
from sonoproof.training.batches import Rows, ShuffledBatches
from sonoproof.training.layers import settle_batch_norm
from sonoproof.training.model import BinaryClassifier
from sonoproof.training.recipes import VARIED

SIZE = 224
FED_FRAMES = 4096
SETTLED = 32
OPERATIONS = 2 * 569e6  # multiply-adds of the forward pass (Howard et al. 2017, table 4), two operations each
PRECISIONS = ("fp32", "tf32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device can be used here: nothing was measured")
    print(torch.cuda.get_device_name())
    noise = torch.rand(options.batch, 3, SIZE, SIZE) * torch.linspace(0.1, 1.0, options.batch)[:, None, None, None]
    frames = noise.mul_(2).sub_(1).to(memory_format=torch.channels_last)
    network = _network("cpu")
    # Without statistics of its own frames an untrained network answers nothing that precision could change.
    settle_batch_norm(network, [frames[:SETTLED]], device=torch.device("cpu"))
    torch.nn.init.normal_(network.head.weight, 0.0, 0.1, generator=torch.Generator().manual_seed(0))
    reference = _logits(network, frames[:SETTLED])
    print(f"logits of the processor: standard deviation {float(reference.std()):.2g}")
    for precision in PRECISIONS:
        print(f"{precision}: {_measured(precision, network, frames, reference, rounds=options.rounds)}")
    with tempfile.TemporaryDirectory() as folder:
        rate = fed_from_store(Path(folder), batch=options.batch, device=torch.device("cuda"))
    print(f"bf16, fed from the store and augmented on the device: training {rate:,.0f} frames/s")


def fed_from_store(folder: Path, *, batch: int, device: torch.device, frames: int = FED_FRAMES) -> float:
    """Frames a second of an epoch of training, decoded before, after one unmeasured epoch."""
    batches = _batches(folder, batch=batch, device=device, frames=frames)
    classifier = _network(device.type).train()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-4, fused=True)

    def epoch() -> float:
        """Seconds; the loss read at the end waits for the device."""
        started, loss = time.perf_counter(), torch.zeros(())
        for pixels, targets in batches:
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16):
                logits = classifier(pixels)
            loss = F.binary_cross_entropy_with_logits(logits.float(), targets.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        assert loss.isfinite()
        return time.perf_counter() - started

    epoch()
    return frames / epoch()


def _batches(folder: Path, *, batch: int, device: torch.device, frames: int) -> ShuffledBatches:
    rng, files = np.random.default_rng(0), []
    for number in range(frames):
        files.append(folder / f"{number}.jpg")
        coarse = rng.integers(0, 256, (30, 30), dtype=np.uint8)
        cv2.imwrite(str(files[-1]), cv2.resize(coarse, (300, 300), interpolation=cv2.INTER_CUBIC))
    records = pd.DataFrame({"path": [str(file) for file in files], "sha256": [sha256_of_file(file) for file in files]})
    store = open_store(folder / "store", preprocessing=Preprocessing(SIZE, aspect="stretch"), frames=FramesConfig())
    store.add(records)
    keys = tuple(records["sha256"])
    rows = Rows(keys, (np.arange(frames) % 2).astype(np.float32), keys)
    return ShuffledBatches(
        rows, load=store.get, augmentation=VARIED, batch=batch, seed=0, epoch=lambda: 0, device=device
    )


def _measured(
    precision: str, network: BinaryClassifier, frames: torch.Tensor, reference: torch.Tensor, *, rounds: int
) -> str:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    classifier, given = copy.deepcopy(network).cuda().eval(), frames.cuda()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
        off = float((_logits(classifier, given[: len(reference)]).float().cpu() - reference).abs().max())
        score = _rate(lambda: _logits(classifier, given), rounds=rounds, units=len(given))
        train = _rate(_step(classifier, given), rounds=rounds, units=len(given))
        peak = _rate(_matmul(), rounds=rounds, units=1)
    return (
        f"scoring {score:,.0f} frames/s ({score * OPERATIONS / peak:.0%} of the matrix peak), "
        f"training {train:,.0f} frames/s ({3 * train * OPERATIONS / peak:.0%}), peak {peak / 1e12:.1f} TFLOP/s, "
        f"largest difference of a logit {off:.2g}"
    )


def _network(device: str) -> BinaryClassifier:
    return load_backbone(ModelConfig(backbone="random", width=1.0), seed=0, image_size=SIZE).to(device).eval()


@torch.no_grad()
def _logits(classifier: BinaryClassifier, frames: torch.Tensor) -> torch.Tensor:
    return classifier(frames)  # type: ignore[no-any-return]


def _step(classifier: BinaryClassifier, frames: torch.Tensor) -> Callable[[], object]:
    classifier.train()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-4, fused=True)
    targets = torch.arange(len(frames), device=frames.device).remainder(2).float()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(classifier(frames).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _matmul() -> Callable[[], object]:
    """Matrix multiplications in the precision under way; a unit is an operation."""
    side, times = 8192, 8
    matrix = torch.rand(side, side, device="cuda")

    def multiply() -> int:
        for _ in range(times):
            torch.mm(matrix, matrix)
        return times * 2 * side**3

    return multiply


def _rate(work: Callable[[], object], *, rounds: int, units: int) -> float:
    """Units a second, median; where the work returns a number, that many units."""
    work()
    rates = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        started = time.perf_counter()
        done = work()
        torch.cuda.synchronize()
        rates.append((done if isinstance(done, int) else units) / (time.perf_counter() - started))
    return statistics.median(rates)


if __name__ == "__main__":
    main()
