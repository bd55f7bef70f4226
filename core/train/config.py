"""How to train: the settings of `fit`, and the learning rate they give."""

import math
from dataclasses import dataclass

from dlcc.core.errors import UsageError

OPTIMIZERS = ("adamw", "muon")


@dataclass(frozen=True)
class FitConfig:
    """How to train: everything but the model and the data."""

    epochs: int = 10
    """Passes over the training data."""
    minutes: float = 0.0
    """Time budget: the schedule reaches its end then, or with the last epoch if that is sooner; 0
    sets none."""
    learning_rate: float = 1e-3
    """Highest learning rate, reached after the warm-up."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises from 0."""
    schedule: str = "cosine"
    """How it falls afterwards, to 0: cosine or linear; or constant."""
    optimizer: str = "adamw"
    """adamw; or muon, which takes the weights of linear layers from it (Jordan et al. 2024)."""
    weight_decay: float = 0.01
    """Decoupled decay, on matrices only."""
    beta2: float = 0.98
    """AdamW's second moment decay."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 leaves them."""
    ema_decay: float = 0.0
    """Decay of the averaged weights that are validated and kept; 0 keeps the raw ones."""
    patience: int = 0
    """Stop after this many epochs without a better validation; 0 never does."""
    bfloat16: bool = True
    """Compute products in bfloat16 where the device is faster with it."""
    checkpoint_seconds: float = 120.0
    """Longest time between two resumable states."""
    seed: int = 0
    """Seed of every step's random numbers."""

    def __post_init__(self) -> None:
        checks = {
            "--epochs": (self.epochs, self.epochs >= 1),
            "--minutes": (self.minutes, 0 <= self.minutes < math.inf),
            "--learning-rate": (self.learning_rate, 0 < self.learning_rate < math.inf),
            "--warmup": (self.warmup, 0 <= self.warmup < 1),
            "--weight-decay": (self.weight_decay, self.weight_decay >= 0),
            "--ema-decay": (self.ema_decay, 0 <= self.ema_decay < 1),
            "--patience": (self.patience, self.patience >= 0),
            "--optimizer": (self.optimizer, self.optimizer in OPTIMIZERS),
            "--schedule": (self.schedule, self.schedule in ("cosine", "linear", "constant")),
        }
        for flag, (value, valid) in checks.items():
            if not valid:
                raise UsageError(f"{flag} {value}: see --help for what it takes")


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
