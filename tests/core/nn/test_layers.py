"""Encoder blocks against PyTorch's own, positions against their formula."""

import math

import pytest
import torch
from torch import nn

from dlcc.core.nn.layers import (
    BlockConfig,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    sinusoidal_positions,
)


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


def test_a_decoder_block_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours = DecoderBlock(BlockConfig(16, num_heads=4, hidden_dim=32)).eval()
    theirs = nn.TransformerDecoderLayer(
        16,
        4,
        32,
        dropout=0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
        layer_norm_eps=1e-6,
    ).eval()
    pairs = [
        (ours.attention_norm, theirs.norm1),
        (ours.cross_norm, theirs.norm2),
        (ours.feed_forward_norm, theirs.norm3),
        (ours.feed_forward.up, theirs.linear1),
        (ours.feed_forward.down, theirs.linear2),
        (ours.attention.out_proj, theirs.self_attn.out_proj),
        (ours.cross.out_proj, theirs.multihead_attn.out_proj),
    ]
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(std=0.3)
        for mine, other in pairs:
            other.load_state_dict(mine.state_dict())
        for mine, other in (
            (ours.attention, theirs.self_attn),
            (ours.cross, theirs.multihead_attn),
        ):
            other.in_proj_weight.copy_(mine.in_proj.weight)
            other.in_proj_bias.copy_(mine.in_proj.bias)
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    wanted = theirs(x, memory, tgt_mask=causal, memory_key_padding_mask=~mask)
    pair = ours.cross.keys_and_values(memory)
    whole, past, _, weights = ours(x, pair, mask, torch.zeros(2, 2, 4, 0, 4), need_weights=True)
    torch.testing.assert_close(whole, wanted, atol=1e-5, rtol=1e-5)
    assert past.shape == (2, 2, 4, 5, 4)
    assert weights.shape == (2, 4, 5, 3)
    assert weights[1, ..., 1:].eq(0).all()
    first, past, _, _ = ours(x[:, :2], pair, mask, torch.zeros(2, 2, 4, 0, 4))
    rest, _, _, _ = ours(x[:, 2:], pair, mask, past)
    torch.testing.assert_close(torch.cat((first, rest), 1), wanted, atol=1e-5, rtol=1e-5)
