"""`dlcc vit train`'s presets: where options that are not given take their values from."""

from dataclasses import dataclass, field
from typing import Any

_RECIPE = {
    "cutmix": 0.5,
    "augment": "strong",
    "label_smoothing": 0.1,
    "calm": 0.1,
    "small": 0.5,
}
_SMALL = {
    "embed_dim": 192,
    "num_heads": 6,
    "hidden_dim": 384,
    "class_token": False,
    "pooling": "mean",
    "drop_path": 0.05,
}
_SCHEDULE = {
    "epochs": 80,
    "learning_rate": 1e-3,
    "warmup": 0.05,
    "weight_decay": 0.05,
    "ema_decay": 0.999,
    "optimizer": "muon",
}


@dataclass(frozen=True)
class Preset:
    """Values by the names of the dataclasses' fields."""

    model: dict[str, Any] = field(default_factory=dict)
    """Of `ViTConfig`."""
    vision: dict[str, Any] = field(default_factory=dict)
    """Of `VisionConfig`."""
    fit: dict[str, Any] = field(default_factory=dict)
    """Of `FitConfig`."""


PRESETS = {
    # A convolutional stem, so that the blocks see edges and textures instead of pixels.
    "best": Preset(
        {**_SMALL, "stem": (32, 128, 128, 128, 192), "num_layers": 5}, _RECIPE, _SCHEDULE
    ),
    # The same recipe without the stem: what the stem is worth.
    "plain": Preset({**_SMALL, "num_layers": 6}, _RECIPE, _SCHEDULE),
    # Chapter 8's sizes: patch 4, width 384, 7 layers, 12 heads, a class token.
    "book": Preset({}, {}, {"epochs": 100, "learning_rate": 1e-3, "weight_decay": 0.05}),
}
FINE_TUNING = Preset(
    {},
    {"batch_size": 64, "label_smoothing": 0.1},
    {
        "epochs": 3,
        "learning_rate": 5e-5,
        "warmup": 0.1,
        "weight_decay": 0.05,
        "ema_decay": 0.998,
    },
)
"""With --backbone."""
PROBING = Preset({}, FINE_TUNING.vision, {**FINE_TUNING.fit, "learning_rate": 1e-3})
"""With --backbone and --freeze: the head alone."""
EITHER_MIX = 0.5
"""Share of the batches that --cutmix or --mixup changes where the preset has none."""
