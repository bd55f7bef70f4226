"""What can be set of a Vision Transformer and its training, the presets, and its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from dlcc.core.errors import UsageError
from dlcc.core.settings import (
    PART,
    PROPER_SHARE,
    SHARE,
    Bound,
    Settings,
    at_least,
    given,
    one_of,
    setting,
)
from dlcc.core.train.recipe import Recipe

POOLINGS = ("class", "mean", "sequence")
POSITIONS = ("learned", "sinusoidal")
AUGMENTS = ("none", "light", "strong")
WIDTHS = Bound("widths such as 64,128, or none", lambda widths: min(widths, default=1) >= 1)
EITHER_MIX = 0.5
"""Share of the batches that CutMix or MixUp changes where the preset has none."""


@dataclass(frozen=True)
class ViTConfig(Settings):
    """What builds a `ViT`."""

    title = "Model"

    num_classes: int = given(at_least(1))
    """Classes told apart, N."""
    image_size: int = setting(32, at_least(1), "size")
    """Side of the square pictures in pixels, S; 7 patches where a backbone is named."""
    patch_size: int = setting(4, at_least(1))
    """Side of a patch in pixels; a divisor of the pictures' side."""
    stem: tuple[int, ...] = setting((), WIDTHS)
    """Widths of the convolutions before the tokens, such as 64,128; or none. The first keeps the
    picture's size; each change of width after it, the last to the tokens', halves it."""
    embed_dim: int = setting(384, at_least(1), "width")
    """Width of the tokens, D."""
    num_layers: int = setting(7, at_least(1), "layers")
    """Encoder blocks."""
    num_heads: int = setting(12, at_least(1), "heads")
    """Attention heads, H; a divisor of the width."""
    hidden_dim: int = setting(384, at_least(1), "hidden")
    """Width inside the feed-forward layers."""
    class_token: bool = True
    """Whether a learned token stands before the patches."""
    pooling: str = setting("class", one_of(POOLINGS))
    """What is classified: the class token, the mean of the patches, or in a sequence their learned
    weighting (Hassani et al. 2021)."""
    positions: str = setting("learned", one_of(POSITIONS))
    """learned or sinusoidal."""
    dropout: float = 0.0
    """See `BlockConfig`."""
    drop_path: float = setting(0.0, PROPER_SHARE)
    """Share of samples for which the last block's halves are left out; the first block's never."""
    layer_scale: bool = False
    """See `BlockConfig`."""
    norm_eps: float = 1e-6
    """See `BlockConfig`."""
    attention_bias: bool = setting(True)
    """Whether the projections of attention have a bias."""
    pixel_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Subtracted from red, green and blue, which run from 0 to 1."""
    pixel_std: tuple[float, ...] = (0.25, 0.25, 0.25)
    """What they are divided by then."""

    def __post_init__(self) -> None:
        for name in ("stem", "pixel_mean", "pixel_std"):  # JSON knows no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        super().__post_init__()
        if len(self.pixel_mean) != 3 or len(self.pixel_std) != 3:
            raise ValueError("a mean and a deviation for each of red, green and blue")
        if self.image_size % self.patch_size:
            raise UsageError(
                f"no multiple of the patch size {self.patch_size}", "size", self.image_size
            )
        if self.embed_dim % self.num_heads:
            raise UsageError(f"does not divide the width {self.embed_dim}", "heads", self.num_heads)
        if self.pooling == "class" and not self.class_token:
            raise UsageError("needs a class token", "pooling", self.pooling)
        widths = (*self.stem, self.embed_dim)
        patch = 2 ** sum(before != after for before, after in pairwise(widths))
        if self.stem and self.patch_size != patch:
            raise UsageError(
                f"makes patches of {patch} pixels, not {self.patch_size}", "stem", self.stem
            )

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches at `image_size`."""
        side = self.image_size // self.patch_size
        return side, side


@dataclass(frozen=True)
class VisionConfig(Settings):
    """How batches of pictures are made and what the loss is."""

    title = "Batches and loss"

    batch_size: int = setting(128, at_least(1))
    """Pictures in a batch."""
    cutmix_share: float = 0.0
    """Share of the pictures into which CutMix pastes a box of another."""
    mixup_share: float = 0.0
    """Share of the pictures that MixUp blends with another."""
    augment: str = setting("light", one_of(AUGMENTS))
    """How pictures are changed: none, light or strong."""
    label_smoothing: float = setting(0.0, PROPER_SHARE)
    """Share of the target that is spread over all classes."""
    calm: float = setting(0.0, SHARE)
    """Last share of the training, in which nothing is mixed and at most lightly changed."""
    small: float = setting(0.0, SHARE)
    """First share of the training, in which pictures have three quarters of their side."""
    seed: int = 0
    """Seed of the order and of every change."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.cutmix_share >= 0 <= self.mixup_share <= 1 - self.cutmix_share):
            shares = self.cutmix_share, self.mixup_share
            raise UsageError(f"CutMix and MixUp have shares of 0 to 1 together, not {shares}")


@dataclass(frozen=True)
class PicturesConfig:
    """What is learned from, and what the training starts from."""

    title = "Data and start"

    data: Path | None = setting(None)
    """A folder, .zip or .tar.gz of CLASS/NAME.jpg or .png, also in train/ and test/, or CIFAR-10's
    official archive. Left out, CIFAR-10 is downloaded."""
    classes_at: int | None = setting(None, at_least(1))
    """Which level of folders the classes are, from 1, where that is not plain."""
    validation: float = setting(0.1, PART)
    """Share of the training pictures that validate."""
    backbone: str | None = setting(None)
    """Fine-tune vit_b_16 (downloaded from torchvision) or a Hugging Face folder of type vit, deit
    or dinov2, or of timm's vit."""
    freeze: bool = setting(False)
    """Train the backbone's new head alone."""
    cutmix: bool | None = setting(None)
    """Paste boxes of other pictures."""
    mixup: bool | None = setting(None)
    """Blend with other pictures."""
    compiled: bool = setting(False, name="compile")
    """Compile the training step, for long trainings: takes a minute for each size of pictures."""


_RECIPE = {
    "cutmix_share": 0.5,
    "augment": "strong",
    "label_smoothing": 0.1,
    "calm": 0.1,
    "small": 0.5,
    "epochs": 80,
    "weight_decay": 0.05,
    "ema_decay": 0.999,
    "optimizer": "muon",
}
_SMALL = {
    "embed_dim": 192,
    "num_heads": 6,
    "class_token": False,
    "pooling": "mean",
    "drop_path": 0.05,
}
_FINE_TUNING = {
    "batch_size": 64,
    "label_smoothing": 0.1,
    "epochs": 3,
    "learning_rate": 5e-5,
    "warmup": 0.1,
    "weight_decay": 0.05,
    "ema_decay": 0.998,
}
PRESETS: dict[str, dict[str, Any]] = {
    # A convolutional stem, so that the blocks see edges and textures instead of pixels.
    "best": {**_RECIPE, **_SMALL, "stem": (32, 128, 128, 128, 192), "num_layers": 5},
    # The same recipe without the stem: what the stem is worth.
    "plain": {**_RECIPE, **_SMALL, "num_layers": 6},
    # Chapter 8's sizes: patch 4, width 384, 7 layers, 12 heads, a class token.
    "book": {"epochs": 100, "weight_decay": 0.05},
}
_PRETRAINED = {"fine-tuning": _FINE_TUNING, "probing": {**_FINE_TUNING, "learning_rate": 1e-3}}


def _preset(name: str | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A backbone brings its own: for all weights, or for the new head alone."""
    backbone, freeze = given.get("backbone"), given.get("freeze")
    if freeze and not backbone:
        raise UsageError("needs a backbone: a model whose weights are worth keeping", "freeze")
    if backbone:
        return _PRETRAINED["probing" if freeze else "fine-tuning"]
    return PRESETS[name or "best"]


RECIPE = Recipe(
    "Train a Vision Transformer on pictures, from scratch or from a pretrained backbone.",
    "pictures",
    (PicturesConfig, VisionConfig, ViTConfig),
    "dlcc.core.vit.task:build",
    PRESETS,
    _preset,
    {
        "best": "accuracy 0.920 on 1,000 of CIFAR-10's training pictures kept apart, after 96 "
        "epochs (160 minutes on two cores), with AdamW on its convolutions then"
    },
    {"with a backbone": _FINE_TUNING},
    on_gpu=4,
)
