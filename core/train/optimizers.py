"""What moves the weights: AdamW alone, or with Muon for the weights of linear layers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcc.core.train.config import FitConfig


def optimizers_of(model: nn.Module, config: FitConfig) -> list[Optimizer]:
    """The optimizers of all weights of `model` that are learned.

    Muon (Jordan et al. 2024) makes a linear layer's step orthogonal, so that all its directions
    are learned alike. Its steps are scaled to the length of AdamW's: one learning rate and one
    decay serve both.
    """
    rate, decay = config.learning_rate, config.weight_decay
    linear: list[Tensor] = []
    if config.optimizer == "muon":
        layers = (module for module in model.modules() if isinstance(module, nn.Linear))
        linear = [layer.weight for layer in layers if layer.weight.requires_grad]
    taken = set(linear)
    learned = [p for p in model.parameters() if p.requires_grad and p not in taken]
    groups = [
        {"params": [p for p in learned if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=rate, betas=(0.9, config.beta2), fused=True)
    if not linear:
        return [adamw]
    muon = torch.optim.Muon(linear, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    return [adamw, muon]


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
        optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
