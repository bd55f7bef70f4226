import pytest
import torch

from dlcc.core.nn.ablation import heads_off
from dlcc.core.nn.attention import AdditiveAttention, MultiHeadAttention


def by_hand(attention: MultiHeadAttention, x: torch.Tensor, off: int) -> torch.Tensor:
    """The attention with zeros in place of what head `off` has weighted."""
    q, k, v = attention.project(x)
    weighted = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v
    weighted[:, off] = 0
    return attention.out_proj(weighted.transpose(1, 2).flatten(2))


def test_a_head_that_is_off_adds_nothing():
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(12, 3), torch.randn(2, 5, 12)
    with torch.no_grad():
        for off in range(3):
            kept = torch.ones(1, 1, 3, dtype=torch.bool)
            kept[0, 0, off] = False
            with heads_off([attention], kept):
                found, weights = attention(x, need_weights=True)
            assert torch.allclose(found, by_hand(attention, x, off), atol=1e-6)
            assert torch.allclose(weights, attention(x, need_weights=True)[1])
        whole = attention(x)[0]
        assert not torch.allclose(found, whole)
        assert torch.equal(attention(x)[0], whole)  # afterwards it is as before


def test_each_sequence_of_a_batch_has_its_own_heads():
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(8, 2), torch.randn(1, 4, 8)
    kept = torch.tensor([[[True, True]], [[False, True]], [[True, False]]])
    with torch.no_grad(), heads_off([attention], kept):
        found = attention(x.expand(3, -1, -1))[0]
    with torch.no_grad():
        assert torch.allclose(found[0], attention(x)[0][0], atol=1e-6)
        for row, off in ((1, 0), (2, 1)):
            assert torch.allclose(found[row], by_hand(attention, x, off)[0], atol=1e-6)


def test_only_multi_head_attention_has_heads():
    with pytest.raises(ValueError, match="AdditiveAttention"):  # noqa: SIM117
        with heads_off([AdditiveAttention(4)], torch.ones(1, 1, 1, dtype=torch.bool)):
            pass
