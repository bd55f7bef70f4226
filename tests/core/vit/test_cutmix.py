"""CutMix and MixUp against a count of pixels, and the same numbers from the same generator."""

import pytest
import torch
from torch import Tensor

from dlcc.core.vit.cutmix import cutmix, mixed_labels, mixup


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int, rows: int = 16, columns: int = 16) -> Tensor:
    """Pictures that carry their own number in every pixel."""
    return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(
        -1, 3, rows, columns
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(16, 16), (9, 14)])
def test_the_share_is_the_count_of_pixels_left(seed: int, shape: tuple[int, int]) -> None:
    images = numbered(64, *shape)
    mixed = cutmix(images, generator(seed))
    own = (mixed.images == images)[:, 0]
    other = mixed.images[:, 0] == mixed.partner[:, None, None]
    for number in range(64):
        top, left, bottom, right = mixed.box[number].tolist()
        assert 0 <= top <= bottom <= shape[0]
        assert 0 <= left <= right <= shape[1]
        assert other[number, top:bottom, left:right].all()
        if mixed.partner[number] != number:
            assert own[number].sum().item() == shape[0] * shape[1] - (bottom - top) * (right - left)
            assert mixed.share[number].item() == pytest.approx(own[number].float().mean().item())


def test_boxes_are_clipped_at_the_border_and_reach_it() -> None:
    box = cutmix(numbered(2000), generator()).box
    assert (box[:, 0] == 0).any()
    assert (box[:, 3] == 16).any()
    areas = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    assert areas.min() < 10
    # λ is uniform for alpha 1; clipping cuts the mean area from 1/2 to about 0.32
    assert (areas / 256).mean().item() == pytest.approx(0.32, abs=0.02)


def test_mixup_blends_in_the_share_that_it_tells() -> None:
    images = numbered(32)
    mixed = mixup(images, generator())
    share = mixed.share[:, None, None, None]
    expected = images * share + mixed.partner[:, None, None, None] * (1 - share)
    torch.testing.assert_close(mixed.images, expected.expand_as(images))
    assert mixed.share.min() >= 0
    assert mixed.share.max() <= 1
    assert mixed.share.std() > 0.1


@pytest.mark.parametrize("mix", [cutmix, mixup])
def test_labels_have_the_shares_of_the_pictures(mix) -> None:  # type: ignore[no-untyped-def]
    mixed = mix(numbered(10), generator(3))
    labels = torch.arange(10) % 4
    probabilities = mixed_labels(labels, mixed, 4)
    assert probabilities.sum(1).tolist() == pytest.approx([1.0] * 10)
    for number in range(10):
        expected = [0.0] * 4
        expected[labels[number]] += mixed.share[number].item()
        expected[labels[mixed.partner[number]]] += 1 - mixed.share[number].item()
        assert probabilities[number].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mix", [cutmix, mixup])
def test_a_generator_decides_alone(mix) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(1)
    first = mix(numbered(8), generator(7))
    torch.manual_seed(2)
    second = mix(numbered(8), generator(7))
    other = mix(numbered(8), generator(8))
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.share, other.share)


def test_large_alpha_halves_and_small_alpha_leaves_whole() -> None:
    even = mixup(numbered(500), generator(), alpha=200.0).share
    assert (even - 0.5).abs().max() < 0.15
    whole = mixup(numbered(500), generator(), alpha=0.01).share
    assert ((whole < 0.01) | (whole > 0.99)).float().mean() > 0.8


def test_bytes_can_be_cut_too() -> None:
    mixed = cutmix(numbered(4).to(torch.uint8), generator())
    assert mixed.images.dtype == torch.uint8
