"""Augmentation: ranges, shifts, shares, repeatability; CutMix and MixUp: boxes, labels, shares."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.vit.augment import (
    LEVELS,
    AugmentConfig,
    augment,
    cutmix,
    mixed_labels,
    mixup,
    shifted,
)

NONE = LEVELS["none"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 200, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=generator(9))


def changed(before: Tensor, after: Tensor) -> float:
    return (before != after).flatten(1).any(1).float().mean().item()


def test_none_changes_nothing() -> None:
    images = pictures(4)
    assert torch.equal(augment(images, NONE), images)


def test_half_are_mirrored_and_the_rest_left() -> None:
    images = pictures()
    result = augment(images, replace(NONE, flip=True))
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
    result = augment(images, replace(NONE, shift=0.125))
    assert len({tuple(picture.flatten().tolist()) for picture in result}) > 20
    assert all(picture[0, 5, 5] in images[0, 0, 3:8, 3:8] for picture in result)


@pytest.mark.parametrize("step", ["warp", "colour"])
def test_a_share_of_the_pictures_is_changed_a_little(step: str) -> None:
    images = pictures()
    result = augment(images, replace(NONE, **{step: 0.3}))
    assert 0.2 < changed(images, result) < 0.4
    assert result.min() >= 0
    assert result.max() <= 1
    assert (result - images).abs().mean() < 0.15


def test_colour_keeps_a_black_picture_black() -> None:
    black = torch.zeros(20, 3, 8, 8)
    assert torch.equal(augment(black, replace(NONE, colour=1.0)), black)


def test_a_warp_turns_around_the_middle() -> None:
    images = torch.zeros(50, 1, 17, 17)
    images[:, :, 7:10, 7:10] = 1.0
    result = augment(images, replace(NONE, warp=1.0))
    assert (result[:, 0, 8, 8] > 0.9).all()
    assert (result[:, 0, :4].abs() < 1e-6).all()


def test_cutout_hides_a_square_that_the_border_may_clip() -> None:
    images = torch.ones(300, 3, 16, 16)
    result = augment(images, replace(NONE, cutout=0.25))
    hidden = (result == 0.5).all(1).flatten(1).sum(1)
    assert hidden.max() == 16
    assert hidden.min() < 16
    assert ((result == 0.5) | (result == 1.0)).all()


def test_the_seed_decides_alone() -> None:
    images = pictures(16)
    found = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        found.append(augment(images, LEVELS["strong"]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_share_of_zero_and_a_small_batch_work() -> None:
    image = pictures(1)
    for seed in range(20):
        torch.manual_seed(seed)
        result = augment(image, AugmentConfig(warp=0.1, colour=0.1))
        assert result.shape == image.shape


def numbered(count: int, rows: int = 16, columns: int = 16) -> Tensor:
    """Pictures that carry their own number in every pixel."""
    return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(
        -1, 3, rows, columns
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(16, 16), (9, 14)])
def test_the_share_is_the_count_of_pixels_left(seed: int, shape: tuple[int, int]) -> None:
    images = numbered(64, *shape)
    torch.manual_seed(seed)
    mixed = cutmix(images)
    own = (mixed.images == images)[:, 0]
    other = mixed.images[:, 0] == (torch.arange(64)[:, None, None] + 1) % 64
    for number in range(64):
        top, left, bottom, right = mixed.box[number].tolist()
        assert 0 <= top <= bottom <= shape[0]
        assert 0 <= left <= right <= shape[1]
        assert other[number, top:bottom, left:right].all()
        assert own[number].sum().item() == shape[0] * shape[1] - (bottom - top) * (right - left)
        assert mixed.share[number].item() == pytest.approx(own[number].float().mean().item())


def test_boxes_are_clipped_at_the_border_and_reach_it() -> None:
    box = cutmix(numbered(2000)).box
    assert (box[:, 0] == 0).any()
    assert (box[:, 3] == 16).any()
    areas = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    assert areas.min() < 10
    # λ is uniform for alpha 1; clipping cuts the mean area from 1/2 to about 0.32
    assert (areas / 256).mean().item() == pytest.approx(0.32, abs=0.02)


def test_mixup_blends_in_the_share_that_it_tells() -> None:
    images = numbered(32)
    mixed = mixup(images)
    share = mixed.share[:, None, None, None]
    expected = images * share + images.roll(-1, 0) * (1 - share)
    torch.testing.assert_close(mixed.images, expected.expand_as(images))
    assert mixed.share.min() >= 0
    assert mixed.share.max() <= 1
    assert mixed.share.std() > 0.1


@pytest.mark.parametrize("mix", [cutmix, mixup])
def test_labels_have_the_shares_of_the_pictures(mix) -> None:  # type: ignore[no-untyped-def]
    mixed = mix(numbered(10))
    labels = torch.arange(10) % 4
    probabilities = mixed_labels(F.one_hot(labels, 4).float(), mixed)
    assert probabilities.sum(1).tolist() == pytest.approx([1.0] * 10)
    for number in range(10):
        expected = [0.0] * 4
        expected[labels[number]] += mixed.share[number].item()
        expected[labels[(number + 1) % 10]] += 1 - mixed.share[number].item()
        assert probabilities[number].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mix", [cutmix, mixup])
def test_only_what_was_chosen_is_mixed(mix) -> None:  # type: ignore[no-untyped-def]
    images, chosen = numbered(64), torch.arange(64) % 4 == 0
    mixed = mix(images, chosen)
    touched = (mixed.images != images).flatten(1).any(1)
    assert not touched[~chosen].any()
    assert (mixed.share[~chosen] == 1).all()
    assert touched[chosen].float().mean() > 0.7


def test_large_alpha_halves_and_small_alpha_leaves_whole() -> None:
    even = mixup(numbered(500), alpha=200.0).share
    assert (even - 0.5).abs().max() < 0.15
    whole = mixup(numbered(500), alpha=0.01).share
    assert ((whole < 0.01) | (whole > 0.99)).float().mean() > 0.8


def test_bytes_can_be_cut_too() -> None:
    mixed = cutmix(numbered(4).to(torch.uint8))
    assert mixed.images.dtype == torch.uint8
