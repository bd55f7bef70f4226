"""The Vision Transformer: shapes, attention that adds up, positions, and that it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.model import ViT, interpolate_positions

TINY = ViTConfig(
    5, image_size=16, patch_size=4, embed_dim=24, num_layers=2, num_heads=3, hidden_dim=48
)
CONV = replace(TINY, stem=(8, 12), class_token=False, pooling="mean")
KINDS = {
    "class": TINY,
    "mean": replace(TINY, pooling="mean"),
    "conv": CONV,
    "sequence": replace(CONV, pooling="sequence"),
    "sinusoidal": replace(TINY, positions="sinusoidal"),
    "layer scale": replace(TINY, layer_scale=True, drop_path=0.1),
    "no biases": replace(TINY, attention_bias=False),
}


def pictures(count: int = 4, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def made(config: ViTConfig) -> ViT:
    torch.manual_seed(0)
    return ViT(config)


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_attending_gives_the_same_scores_and_weights_that_sum_to_one(config: ViTConfig) -> None:
    model = made(config).eval()
    images = pictures()
    scores, maps, shares = model.attend(images)
    torch.testing.assert_close(scores, model(images))
    tokens = 16 + config.class_token
    assert [m.shape for m in maps] == [(4, 3, tokens, tokens)] * 2
    for weights in (*maps, shares):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_the_book_has_6_million_parameters() -> None:
    assert sum(p.numel() for p in ViT(ViTConfig(10)).parameters()) == pytest.approx(
        6.27e6, rel=0.01
    )


def test_the_pooled_vector_is_the_shares_of_the_tokens() -> None:
    for config in (KINDS["class"], KINDS["mean"], KINDS["sequence"]):
        model = made(config).eval()
        tokens = model.encode(pictures())
        pooled = (model.pooling_shares(tokens)[:, None] @ tokens).squeeze(1)
        torch.testing.assert_close(model.head(pooled), model.classify(tokens))


def test_patches_are_in_reading_order() -> None:
    model = made(replace(TINY, class_token=False, pooling="mean"))
    with torch.no_grad():
        model.positions.zero_()
        images = torch.zeros(1, 3, 16, 16)
        blank = model.embed_patches(images)
        images[:, :, 4:8, 8:12] = 1.0  # row 1, column 2 of 4 × 4 patches
        changed = (model.embed_patches(images) - blank).abs().sum(-1)[0]
    assert changed.nonzero().flatten().tolist() == [6]


def test_pixels_are_normalised_inside() -> None:
    model = made(replace(TINY, pixel_mean=(0.5, 0.4, 0.3), pixel_std=(0.1, 0.2, 0.3))).eval()
    plain = made(replace(TINY, pixel_mean=(0.0,) * 3, pixel_std=(1.0,) * 3)).eval()
    images = pictures()
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.1, 0.2, 0.3])
    normalised = (images - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(model(images), plain(normalised))
    assert "pixel_mean" not in model.state_dict()


@pytest.mark.parametrize("name", ["class", "conv", "sinusoidal"])
def test_other_sizes_interpolate_the_positions(name: str) -> None:
    model = made(KINDS[name]).eval()
    assert model(pictures(2, 24)).shape == (2, 5)
    assert torch.isfinite(model(pictures(2, 8))).all()


def test_interpolated_positions_keep_corners_order_and_the_class_token() -> None:
    table = torch.arange(16.0).view(1, 16, 1)
    positions = torch.cat((torch.full((1, 1, 1), 99.0), table), 1)
    wider = interpolate_positions(positions, (4, 4), (8, 8), class_token=True)
    assert wider.shape == (1, 65, 1)
    assert wider[0, 0] == 99
    grid = wider[0, 1:, 0].view(8, 8)
    assert (grid.diff(dim=0) > 0).all()
    assert (grid.diff(dim=1) > 0).all()
    same = interpolate_positions(positions, (4, 4), (4, 4), class_token=True)
    torch.testing.assert_close(same, positions)


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_it_learns_one_batch_by_heart(config: ViTConfig) -> None:
    model = made(replace(config, drop_path=0.0))
    images, labels = pictures(10), torch.arange(10) % 5
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 18}, "size 18"),
        ({"patch_size": 0}, "patch_size 0"),
        ({"num_layers": -1}, "layers -1"),
        ({"hidden_dim": -3}, "hidden -3"),
        ({"drop_path": 1.0}, "drop_path 1.0"),
        ({"num_heads": 5}, "heads 5"),
        ({"pooling": "best"}, "pooling best"),
        ({"positions": "none"}, "positions none"),
        ({"class_token": False}, "class token"),
        ({"stem": (8,)}, "patches of 2"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(TINY, **changes)
