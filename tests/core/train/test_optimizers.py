"""Muon of stacked matrices: torch's steps, and torch's state."""

import pytest
import torch
from torch import nn

from dlcc.core.train.optimizers import Muon, optimizer_state, restore_optimizers, set_rate

SHAPES = [(16, 16), (48, 16), (16, 64), (16, 16), (64, 16)]
HOW = {"lr": 0.01, "weight_decay": 0.05}


def _weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def _steps(optimizer: torch.optim.Optimizer, seeds: range) -> None:
    """Steps of drawn gradients; the last weight has one at every other step alone."""
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        *some, last = optimizer.param_groups[0]["params"]
        for weight in some:
            weight.grad = torch.randn(weight.shape, generator=generator)
        last.grad = torch.ones_like(last).tril(seed % 7) if seed % 2 else None
        optimizer.step()


@pytest.mark.parametrize("taken_over", [False, True])
def test_stacked_matrices_move_as_torch_moves_them_one_by_one(taken_over: bool) -> None:
    ours, theirs, begun = _weights(), _weights(), _weights()
    single = torch.optim.Muon(theirs, **HOW, adjust_lr_fn="match_rms_adamw")
    stacked = Muon(ours, **HOW)
    _steps(single, range(10))
    if not taken_over:
        _steps(stacked, range(10))
    else:  # a run that was begun before goes on
        for here, there in zip(ours, theirs, strict=True):
            here.data.copy_(there.data)
        state = {name: each.clone() for name, each in optimizer_state([single]).items()}
        restore_optimizers([stacked], state)
    for optimizer in (single, stacked):
        _steps(optimizer, range(10, 40))
    for here, there, first in zip(ours, theirs, begun, strict=True):
        moved = (there - first).detach().abs().max()
        assert moved > 0.1
        assert (here - there).detach().abs().max() < 1e-2 * moved


def test_a_convolution_moves_as_the_matrix_of_what_its_outputs_see() -> None:
    torch.manual_seed(0)
    filters = [nn.Parameter(torch.randn(8, 4, 3, 3)) for _ in range(2)]
    filters[1].data = filters[1].data.contiguous(memory_format=torch.channels_last)
    matrices = [nn.Parameter(each.detach().reshape(8, 36)) for each in filters]
    optimizers = [Muon(weights, **HOW) for weights in (filters, matrices)]
    for _ in range(5):
        for here, there in zip(filters, matrices, strict=True):
            here.grad = torch.randn_like(here)
            there.grad = here.grad.reshape(8, 36)
        for optimizer in optimizers:
            optimizer.step()
    for here, there in zip(filters, matrices, strict=True):
        torch.testing.assert_close(here.reshape(8, 36), there, rtol=0, atol=1e-4)


def test_rates_that_lie_on_the_device_move_weights_alike() -> None:
    """As where a step is recorded: it cannot know the numbers of Python."""
    weights, others = _weights(), _weights()
    plain, recorded = (Muon([{"params": w, "rate_share": 0.5}], **HOW) for w in (weights, others))
    recorded.param_groups[0]["lr"] = torch.tensor(0.0)
    for step in range(10):
        for optimizer in (plain, recorded):
            set_rate([optimizer], 0.02 / (step + 1))
            _steps(optimizer, range(step, step + 1))
    assert isinstance(recorded.param_groups[0]["lr"], torch.Tensor)
    for here, there in zip(weights, others, strict=True):
        torch.testing.assert_close(here, there)


def test_the_state_of_other_weights_is_refused() -> None:
    weights = _weights()
    optimizer = Muon(weights, **HOW)
    _steps(optimizer, range(2))
    state = optimizer_state([optimizer])
    with pytest.raises(ValueError, match="moved other weights"):
        restore_optimizers([Muon(weights[1:] + weights[:1], **HOW)], state)
