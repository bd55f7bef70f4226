"""Augmentation: each step does what it says, in range, by the generator alone."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dlcc.core.vit.augment import LEVELS, AugmentConfig, augment, shifted

NONE = LEVELS["none"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 200, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=generator(9))


def changed(before: Tensor, after: Tensor) -> float:
    return (before != after).flatten(1).any(1).float().mean().item()


def test_none_changes_nothing() -> None:
    images = pictures(4)
    assert torch.equal(augment(images, NONE, generator()), images)


def test_half_are_mirrored_and_the_rest_left() -> None:
    images = pictures()
    result = augment(images, replace(NONE, flip=True), generator())
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(result, images, strict=True)]
    left = [torch.equal(a, b) for a, b in zip(result, images, strict=True)]
    assert all(a or b for a, b in zip(mirrored, left, strict=True))
    assert 80 < sum(mirrored) < 120


def test_shifted_moves_whole_pixels_and_mirrors_the_border() -> None:
    image = torch.arange(25.0).view(1, 1, 5, 5)
    moved = shifted(image, torch.tensor([1]), torch.tensor([-2]), 2)[0, 0]
    assert torch.equal(moved[1:, :3], image[0, 0, :4, 2:])
    assert moved[0, :3].tolist() == image[0, 0, 1, 2:].tolist()
    assert torch.equal(shifted(image, torch.tensor([0]), torch.tensor([0]), 2), image)


def test_each_picture_shifts_on_its_own_way() -> None:
    images = pictures(1).expand(200, -1, -1, -1)
    result = augment(images, replace(NONE, shift=0.125), generator())
    assert len({tuple(picture.flatten().tolist()) for picture in result}) > 20
    assert all(picture[0, 5, 5] in images[0, 0, 3:8, 3:8] for picture in result)


@pytest.mark.parametrize("step", ["warp", "colour"])
def test_a_share_of_the_pictures_is_changed_a_little(step: str) -> None:
    images = pictures()
    result = augment(images, replace(NONE, **{step: 0.3}), generator())
    assert 0.2 < changed(images, result) < 0.4
    assert result.min() >= 0
    assert result.max() <= 1
    assert (result - images).abs().mean() < 0.15


def test_colour_keeps_a_black_picture_black() -> None:
    black = torch.zeros(20, 3, 8, 8)
    assert torch.equal(augment(black, replace(NONE, colour=1.0), generator()), black)


def test_a_warp_turns_around_the_middle() -> None:
    images = torch.zeros(50, 1, 17, 17)
    images[:, :, 7:10, 7:10] = 1.0
    result = augment(images, replace(NONE, warp=1.0), generator())
    assert (result[:, 0, 8, 8] > 0.9).all()
    assert (result[:, 0, :4].abs() < 1e-6).all()


def test_cutout_hides_a_square_that_the_border_may_clip() -> None:
    images = torch.ones(300, 3, 16, 16)
    result = augment(images, replace(NONE, cutout=0.25), generator())
    hidden = (result == 0.5).all(1).flatten(1).sum(1)
    assert hidden.max() == 16
    assert hidden.min() < 16
    assert ((result == 0.5) | (result == 1.0)).all()


def test_the_generator_decides_alone() -> None:
    images = pictures(16)
    torch.manual_seed(1)
    first = augment(images, LEVELS["strong"], generator(5))
    torch.manual_seed(2)
    assert torch.equal(first, augment(images, LEVELS["strong"], generator(5)))
    assert not torch.equal(first, augment(images, LEVELS["strong"], generator(6)))


def test_a_share_of_zero_and_a_small_batch_work() -> None:
    image = pictures(1)
    for seed in range(20):
        result = augment(image, AugmentConfig(warp=0.1, colour=0.1), generator(seed))
        assert result.shape == image.shape
