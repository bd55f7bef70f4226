"""A trained picture classifier that answers: pictures in, calibrated probabilities out.

Shapes: N pictures, S side of the square pictures, C classes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.train.checkpoint import best_of, load_checkpoint, load_weights
from dlcc.core.train.runtime import autocast
from dlcc.core.vit.augment import shifted
from dlcc.core.vit.model import ViT, ViTConfig

KIND = "vit"
CLASSES = "classes.json"
_BATCH = 250
_SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # of the side's 32nd, down and right


@dataclass
class PictureClassifier:
    """A model with what it needs to read pictures and to name classes."""

    model: ViT
    """In eval mode, on the device that computes."""
    classes: tuple[str, ...]
    temperature: float = 1.0
    """What logits are divided by, so that probabilities are calibrated."""
    about: dict[str, Any] = field(default_factory=dict)
    """How it was made."""

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "PictureClassifier":
        """Read a checkpoint, or the best one of a run.

        Raises:
            DataError: none there, or damaged.
        """
        checkpoint = load_checkpoint(best_of(folder), KIND)
        try:
            model = ViT(ViTConfig(**checkpoint.config))
            classes = tuple(json.loads(checkpoint.files[CLASSES]))
            temperature = float(checkpoint.about.get("temperature", 1.0))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{checkpoint.folder} is damaged ({error})") from error
        load_weights(model, checkpoint.weights, checkpoint.folder)
        return cls(model.to(device).eval(), classes, temperature, checkpoint.about)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def prepare(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] uint8 as the model takes them: its device and size, from 0 to 1."""
        images = pixels.to(self.device).float() / 255
        size = self.model.config.image_size
        if images.shape[-1] != size:
            images = F.interpolate(images, (size, size), mode="bicubic", antialias=True)
        return images.clamp(0, 1)

    @torch.no_grad()
    def logits(
        self, pixels: Tensor, tta: bool = False, on_done: Callable[[int], None] = lambda done: None
    ) -> Tensor:
        """Logits [N, C], float32 on the CPU, before the temperature.

        Args:
            pixels: [N, 3, S, S] uint8.
            tta: average over ten views of each picture: shifted in four directions, and mirrored.
            on_done: told how many pictures are done.
        """
        found = []
        for batch in pixels.split(_BATCH):
            views = _views(self.prepare(batch)) if tta else [self.prepare(batch)]
            with autocast(self.device):
                found.append(sum(self.model(view).float().cpu() for view in views) / len(views))
            on_done(len(batch))
        return torch.cat(found) if found else torch.empty(0, len(self.classes))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities of logits [..., C]."""
        return (logits / self.temperature).softmax(-1)


def _views(images: Tensor) -> list[Tensor]:
    step = max(1, images.shape[-1] // 32)
    each = torch.ones(len(images), dtype=torch.long)
    moved = [
        shifted(images, step * down * each, step * right * each, step) for down, right in _SHIFTS
    ]
    return moved + [view.flip(-1) for view in moved]
