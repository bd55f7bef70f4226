"""Dropout beside torch's."""

import pytest
import torch

from dlcc.core.nn.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_share_is_zero_and_the_rest_scaled(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.ones(299, 501, dtype=dtype, requires_grad=True)
    y = dropout(x, share)
    y.sum().backward()
    y = y.detach()
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    zero = y == 0
    expected = torch.nn.functional.dropout(torch.ones(299, 501, dtype=dtype), share).max()
    assert y.max() == y[~zero].min()
    assert float(y.max()) == pytest.approx(float(expected), rel=1e-3)
    assert float(zero.float().mean()) == pytest.approx(share, abs=0.005)
    assert (zero.float().mean(0) - share).abs().max() < 0.15  # in every column
    assert torch.equal(x.grad, y)  # what was dropped learns nothing


def test_the_seed_decides() -> None:
    x = torch.ones(3, 7)
    torch.manual_seed(1)
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("share", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped(share: float, training: bool) -> None:
    x = torch.randn(5, 3)
    assert torch.equal(dropout(x, share, training), x)


def test_a_share_next_to_one_drops_nearly_everything() -> None:
    kept = dropout(torch.ones(10_000), 1 - 1e-9) != 0
    assert kept.float().mean() < 0.01


def test_everything_is_dropped() -> None:
    assert not dropout(torch.ones(5), 1.0).any()
