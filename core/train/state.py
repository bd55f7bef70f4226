"""What a training needs besides its weights to go on: where it is, averages, optimizers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from dlcc.core.files.tensors import load_tensors
from dlcc.core.train.optimizers import optimizer_state, restore_optimizers

STATE = "training_state.safetensors"
"""The file in `last` that it is kept in."""
_PROGRESS = "progress"
_AVERAGE, _OPTIMIZER = "average.", "optimizer."  # what its tensors' names begin with


@dataclass
class At:
    """Where a training is: what `last` keeps besides tensors."""

    epoch: int = 0
    step_in_epoch: int = 0
    steps_in_epoch: int = 0
    """How many the epoch has; 0 where it is not known yet."""
    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    epochs_since_best: int = 0
    missing: float = 0.0
    """Epochs of those ended that were not trained, since the time was over before."""
    loss_sum: float = 0.0
    items: int = 0
    bfloat16: bool | None = None
    """Whether products are computed in it: a trial decides once, or a resumed run would differ."""


def state_of(at: At, average: Sequence[Tensor], optimizers: Sequence[Optimizer]) -> bytes:
    """The content of the file."""
    tensors = {f"{_AVERAGE}{place}": tensor for place, tensor in enumerate(average)}
    state = optimizer_state(optimizers)
    tensors |= {f"{_OPTIMIZER}{name}": value for name, value in state.items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return save(tensors, {_PROGRESS: json.dumps(asdict(at))})


def restore_state(
    folder: Path,
    average: Sequence[Tensor],
    buffers: Sequence[Tensor],
    optimizers: Sequence[Optimizer],
) -> At:
    """Fill averages and optimizers as `state_of` found them; returns where the training was.

    Args:
        folder: the checkpoint.
        average: of the weights and, behind them, of buffers; none where there are no averages.
        buffers: of which older states have no averages: themselves.
        optimizers: of this training.

    Raises:
        ValueError: it is the state of another training.
    """
    tensors, progress = load_tensors(folder / STATE, _PROGRESS, "pt")
    if progress is None:
        raise ValueError("nothing says how far it is")
    at = At(**progress)
    if any(name.startswith(_AVERAGE) for name in tensors) != bool(average):
        raise ValueError("with and without averaged weights are not the same training")
    for place, raw in enumerate(buffers, len(average) - len(buffers)) if average else ():
        tensors.setdefault(f"{_AVERAGE}{place}", raw)
    for place, each in enumerate(average):
        each.copy_(tensors.pop(f"{_AVERAGE}{place}"))
    state = {name.removeprefix(_OPTIMIZER): tensor for name, tensor in tensors.items()}
    restore_optimizers(optimizers, state)
    return at
