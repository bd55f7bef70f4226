"""How to train: the settings of `fit`, and the learning rate they give."""

import math
from dataclasses import dataclass

from dlcc.core.settings import (
    POSITIVE,
    PROPER_SHARE,
    Bound,
    Settings,
    at_least,
    one_of,
    setting,
)

OPTIMIZERS = ("adamw", "muon")
SCHEDULES = ("cosine", "linear", "constant")
_DECAY = Bound("a share above 0, or 1", lambda value: 0 < value <= 1)


@dataclass(frozen=True)
class FitConfig(Settings):
    """How to train: everything but the model and the data."""

    title = "Training"

    epochs: int = setting(10, at_least(1))
    """Passes over the training data."""
    minutes: float = setting(0.0, at_least(0))
    """Time budget, without compiling: the schedule reaches its end then, or with the last epoch if
    that is sooner. Resuming is exact only without; 0: none."""
    learning_rate: float = setting(1e-3, POSITIVE)
    """Highest learning rate, reached after the warm-up."""
    warmup: float = setting(0.05, PROPER_SHARE)
    """Share of the training in which the learning rate rises from 0."""
    schedule: str = setting("cosine", one_of(SCHEDULES))
    """How it falls afterwards, to 0: cosine or linear; or constant."""
    optimizer: str = setting("adamw", one_of(OPTIMIZERS))
    """adamw; or muon, which takes the weights of linear layers and convolutions from it (Jordan et
    al. 2024)."""
    layer_decay: float = setting(1.0, _DECAY)
    """Each block learns at this share of the rate of the block above it, what stands before the
    blocks at that of the lowest: for pretrained models (Clark et al. 2020). 1: all alike."""
    weight_decay: float = setting(0.01, at_least(0))
    """Decoupled decay, on all that has two dimensions or more: matrices and tables, not biases."""
    beta2: float = 0.98
    """AdamW's second moment decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 leaves them."""
    ema_decay: float = setting(0.0, PROPER_SHARE)
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""
    validate_every: int = setting(1, at_least(1))
    """Epochs from one validation to the next; the end of the training is validated anyway."""
    patience: int = setting(0, at_least(0))
    """Stop after this many epochs without a better validation; 0 never does."""
    bfloat16: bool = True
    """Compute products in bfloat16 where the device is faster with it."""
    cuda_graphs: bool = setting(True)
    """On a GPU, record a step of pictures or masked words once and repeat it: small models are
    several times as fast; not where several processes train."""
    checkpoint_seconds: float = setting(120.0, at_least(0))
    """Longest time between two states that a killed training goes on from."""
    seed: int = 0
    """Seed of every step's random numbers."""


def learning_rate_at(config: FitConfig, done: float) -> float:
    """The rate when the share `done` of the schedule is behind."""
    if done < config.warmup:
        return config.learning_rate * max(done, 1e-3) / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    rest = min(1.0, (done - config.warmup) / (1 - config.warmup))
    if config.schedule == "linear":
        return config.learning_rate * (1 - rest)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * rest))
