"""Encoder blocks against PyTorch's own, positions against their formula."""

import math

import pytest
import torch
from torch import nn

from dlcc.core.nn.layers import BlockConfig, EncoderBlock, FeedForward, sinusoidal_positions


def reference_block(block: EncoderBlock) -> nn.TransformerEncoderLayer:
    config = block.config
    reference = nn.TransformerEncoderLayer(
        config.embed_dim,
        config.num_heads,
        config.hidden_dim,
        dropout=0.0,
        activation="gelu",
        layer_norm_eps=1e-6,
        batch_first=True,
        norm_first=config.norm_first,
    )
    names = {
        "self_attn.in_proj_": "attention.in_proj.",
        "self_attn.out_proj.": "attention.out_proj.",
        "linear1.": "feed_forward.up.",
        "linear2.": "feed_forward.down.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    own = block.state_dict()
    copied = {
        theirs + end: own[ours + end]
        for theirs, ours in names.items()
        for end in ("weight", "bias")
    }
    reference.load_state_dict(copied)
    return reference


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_equals_the_reference_with_the_same_weights(norm_first: bool) -> None:
    torch.manual_seed(0)
    block = EncoderBlock(BlockConfig(12, 3, 20, norm_first=norm_first))
    nn.init.normal_(block.attention_norm.weight)
    reference = reference_block(block)
    x = torch.randn(2, 5, 12)
    attendable = torch.tensor([[True] * 5, [True, True, True, False, False]])
    ours, weights = block(x, attendable[:, None, None], need_weights=True)
    theirs = reference(x, src_key_padding_mask=~attendable)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert weights is not None
    assert weights[1, :, :, 3:].eq(0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5))
    fast, none = block(x, attendable[:, None, None])
    assert none is None
    torch.testing.assert_close(fast, ours, atol=1e-5, rtol=1e-5)


def test_positions_follow_the_formula() -> None:
    table = sinusoidal_positions(7, 5)
    assert table.shape == (7, 5)
    for position in range(7):
        for column in range(5):
            angle = position / 10_000 ** (2 * (column // 2) / 5)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert table[position, column].item() == pytest.approx(expected, abs=1e-5)


def test_drop_path_leaves_whole_samples_out_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    block = EncoderBlock(BlockConfig(4, 1, 8, drop_path=0.25))
    added = block._residual(torch.ones(4000, 3, 4), "attention_scale")
    per_sample = added.flatten(1)
    assert torch.equal(per_sample.min(1).values, per_sample.max(1).values)
    assert added.mean().item() == pytest.approx(1.0, abs=0.05)
    block.eval()
    assert torch.equal(block._residual(torch.ones(2, 3, 4), "attention_scale"), torch.ones(2, 3, 4))


def test_layer_scale_starts_near_the_identity() -> None:
    block = EncoderBlock(BlockConfig(8, 2, 16, layer_scale=True))
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(block(x)[0], x, atol=1e-3, rtol=0)


def test_feed_forward_looks_at_each_position_alone() -> None:
    layer = FeedForward(6, 9)
    x = torch.randn(2, 4, 6)
    torch.testing.assert_close(layer(x)[:, 2], layer(x[:, 2]))
