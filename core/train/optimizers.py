"""What moves the weights: AdamW alone, or with Muon for those of linear layers and convolutions."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcc.core.errors import UsageError
from dlcc.core.train.config import FitConfig


def optimizers_of(model: nn.Module, config: FitConfig, recorded: bool = False) -> list[Optimizer]:
    """The optimizers of all weights of `model` that are learned, to be recorded as CUDA graphs
    or not.

    Muon (Jordan et al. 2024) makes the step of a linear layer or a convolution orthogonal, so that
    all its directions are learned alike. Its steps are scaled to the length of AdamW's: one
    learning rate and one decay serve both.
    """
    shares = rate_shares(model, config.layer_decay)
    by_muon: set[Tensor] = set()
    if config.optimizer == "muon":
        layers = (each for each in model.modules() if isinstance(each, nn.Linear | nn.Conv2d))
        by_muon = {layer.weight for layer in layers if layer.weight.requires_grad}
    rest = [each for each in shares if each not in by_muon]
    matrices = _groups([p for p in rest if p.ndim >= 2], shares, config.weight_decay)
    others = _groups([p for p in rest if p.ndim < 2], shares, 0.0)
    rate, groups = config.learning_rate, matrices + others
    how: Any = {"betas": (0.9, config.beta2), "fused": True, "capturable": recorded}
    optimizers: list[Optimizer] = [torch.optim.AdamW(groups, lr=rate, **how)]
    if by_muon:
        groups = _groups([p for p in shares if p in by_muon], shares, config.weight_decay)
        optimizers.append(Muon(groups, rate))
    for group in _param_groups(optimizers) if recorded else ():
        group["lr"] = torch.tensor(rate, device=group["params"][0].device)
    return optimizers


def set_rate(optimizers: Sequence[Optimizer], rate: float) -> None:
    """Let all weights learn at their shares of a rate, in what was recorded too."""
    for group in _param_groups(optimizers):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["rate_share"])
        else:
            group["lr"] = rate * group["rate_share"]


def _param_groups(optimizers: Sequence[Optimizer]) -> Iterator[dict[str, Any]]:
    return chain.from_iterable(each.param_groups for each in optimizers)


class Muon(Optimizer):
    """torch's, but for rounding, and with the same state: the matrices of one shape are made
    orthogonal together, which takes a GPU as long as one of them. A convolution's weights are the
    matrix of what each of its outputs sees.

    Args:
        groups: weights [R, ...], each at least of two dimensions.
        lr: scaled to the length of AdamW's steps.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, weight_decay: float = 0.1):
        how = {"lr": lr, "weight_decay": weight_decay, "momentum": 0.95, "eps": 1e-7, "ns_steps": 5}
        super().__init__(groups, how | {"ns_coefficients": (3.4445, -4.7750, 2.0315)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no loss is asked again
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    stacks.setdefault(weight.shape, []).append(weight)
            for weights in stacks.values():
                self._step(weights, group)

    def _step(self, weights: list[Tensor], group: Mapping[str, Any]) -> None:
        """Move N weights of one shape [R, ...]."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        before = [self.state[weight]["momentum_buffer"] for weight in weights]
        slopes: list[Any] = [weight.grad for weight in weights]
        torch._foreach_lerp_(before, slopes, 1 - group["momentum"])
        ahead = torch._foreach_lerp(slopes, before, group["momentum"])
        matrices = torch.stack(ahead).flatten(2)  # [N, R, C]
        rate, length = group["lr"], 0.2 * math.sqrt(max(matrices.shape[1:]))
        steps = _orthogonal(matrices, group).float() * (rate * length)
        torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        torch._foreach_sub_(weights, list(steps.view(-1, *weights[0].shape)))


def _orthogonal(matrices: Tensor, group: Mapping[str, Any]) -> Tensor:
    """[N, R, C] with singular values near 1, in bfloat16, by Newton and Schulz."""
    a, b, c = group["ns_coefficients"]
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.bfloat16().mT if is_tall else matrices.bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def rate_shares(model: nn.Module, decay: float) -> dict[Tensor, float]:
    """For all weights that are learned, the share of the learning rate that each learns at.

    What is registered after the model's one list of blocks stands above them and learns at the
    whole rate; each block learns at `decay` of what is above it, and so does what is below them.

    Raises:
        UsageError: `decay` is not 1 and the model has no such list, or more than one.
    """
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if decay == 1:
        return dict.fromkeys(learned.values(), 1.0)
    children = dict(model.named_children())
    stacks = [name for name, child in children.items() if isinstance(child, nn.ModuleList)]
    if len(stacks) != 1:
        raise UsageError("only for a model that is one stack of blocks", "layer_decay", decay)
    (stack,) = stacks
    names = list(children)
    above, height = names[names.index(stack) + 1 :], len(list(children[stack].children()))

    def depth(name: str) -> int:
        """How many blocks there are from the weight to the top of the model."""
        first, _, rest = name.partition(".")
        if first == stack:
            return height - int(rest.partition(".")[0])
        return 0 if first in above else height + 1

    return {p: decay ** depth(name) for name, p in learned.items()}


def _groups(
    weights: Sequence[Tensor], shares: Mapping[Tensor, float], decay: float
) -> list[dict[str, Any]]:
    """The weights by the share of the learning rate they learn at."""
    found: dict[float, list[Tensor]] = {}
    for each in weights:
        found.setdefault(shares[each], []).append(each)
    return [
        {"params": params, "weight_decay": decay, "rate_share": share}
        for share, params in found.items()
    ]


def optimizer_state(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """All that the optimizers remember, by names such as 0.12.exp_avg."""
    return {
        f"{place}.{number}.{name}": value
        for place, optimizer in enumerate(optimizers)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimizers(optimizers: Sequence[Optimizer], state: Mapping[str, Tensor]) -> None:
    """Have the optimizers remember what `optimizer_state` gave.

    Raises:
        ValueError: it is of other optimizers.
        IndexError: it is of more optimizers.
    """
    states: list[dict[int, dict[str, Tensor]]] = [{} for _ in optimizers]
    for key, tensor in state.items():
        place, number, name = key.split(".")
        states[int(place)].setdefault(int(number), {})[name] = tensor
    for optimizer, values in zip(optimizers, states, strict=True):
        weights = list(chain.from_iterable(each["params"] for each in optimizer.param_groups))
        for index, remembered in values.items():
            shapes = {each.shape for each in remembered.values() if each.ndim}
            if shapes - {weights[index].shape}:
                raise ValueError("its optimizer moved other weights: begin a new run")
        optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
