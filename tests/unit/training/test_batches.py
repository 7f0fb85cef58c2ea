from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.support.toy import Toy

from sonoproof.training.augmentation import Augmentation
from sonoproof.training.batches import OrderedBatches, ShuffledBatches, to_network


def shuffled(toy: Toy, epoch: int, *, batch: int = 10) -> list[tuple[torch.Tensor, torch.Tensor]]:
    still = Augmentation(zoom=0.0, shear_degrees=0.0, flip=False)
    batches = ShuffledBatches(
        toy.rows(0, 64), load=toy.load, augmentation=still, batch=batch, seed=1, epoch=lambda: epoch
    )
    return list(batches)


def test_the_network_sees_what_preprocessing_promises(toy: Toy) -> None:
    frames = toy.frames[:7]
    expected = np.moveaxis(frames / 127.5 - 1.0, 3, 1)
    seen = to_network(frames)
    assert seen.shape == (7, 3, 32, 32)
    assert seen.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(seen.numpy(), expected, atol=1e-6)


def test_scaling_is_that_of_mobilenet() -> None:
    every = np.arange(256, dtype=np.uint8)
    scaled = to_network(every.reshape(1, 1, -1, 1).repeat(3, axis=3))[0, 0, 0]
    assert scaled.dtype == torch.float32
    assert scaled[[0, 51, 255]].tolist() == pytest.approx([-1.0, -0.6, 1.0], abs=1e-7)
    assert np.array_equal(np.rint((scaled.numpy() + 1) * 127.5), every)


def test_levels_that_are_no_bytes_are_scaled_too_and_left_as_they_are() -> None:
    levels = np.full((1, 2, 2, 3), 63.75, np.float32)
    assert torch.equal(to_network(levels), torch.full((1, 3, 2, 2), -0.5))
    assert (levels == 63.75).all()


def test_an_epoch_shows_every_frame_once_with_its_own_label(toy: Toy) -> None:
    frames, targets = (torch.cat(parts) for parts in zip(*shuffled(toy, 4), strict=True))
    own = to_network(toy.frames[:64])
    distance = (frames[:, None] - own[None]).abs().amax(dim=(2, 3, 4))
    match = distance.argmin(dim=1)
    assert sorted(match.tolist()) == list(range(64))
    assert torch.equal(targets, torch.from_numpy(toy.targets[match.numpy()]))


def test_order_depends_on_the_epoch_alone(toy: Toy) -> None:
    first, again, other = (torch.cat([frames for frames, _ in shuffled(toy, epoch)]) for epoch in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_batch_is_too_small_for_batch_norm(toy: Toy) -> None:
    sizes = [len(targets) for _, targets in shuffled(toy, 0, batch=21)]
    assert sizes == [22, 21, 21]  # 64 frames; a remainder of one frame would stop batch norm


def test_ordered_batches_keep_the_order(toy: Toy) -> None:
    targets = torch.cat([t for _, t in OrderedBatches(toy.rows(10, 50), load=toy.load, batch=7)])
    assert torch.equal(targets, torch.from_numpy(toy.targets[10:50]))
