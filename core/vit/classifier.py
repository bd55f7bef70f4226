"""A trained picture classifier that answers: pictures in, calibrated probabilities out.

Shapes: N pictures, S side of the square pictures, C classes; L layers, H heads, T tokens, D width
of a head.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.nn.layers import as_array, recorded_projections
from dlcc.core.progress import Progress
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.train.classify import Calibrated, class_names
from dlcc.core.train.runtime import autocast
from dlcc.core.vit.augment import shifted
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.model import ViT
from dlcc.core.vit.pictures import read_picture, square

KIND = "vit"
CLASSES = "classes.json"
_BATCH = 250
_SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # of the side's 32nd, down and right


@dataclass(frozen=True)
class Attended:
    """What was attended to in one picture; the arrays are float32 unless it says otherwise."""

    image: np.ndarray
    """[S, S, 3] uint8, as the model took it."""
    weights: np.ndarray
    """[L, H, T, T]"""
    slopes: np.ndarray
    """[L, H, T, T]: how much each weight raises the target's logit."""
    pooling: np.ndarray
    """[T]: the share of each token in what is classified."""
    tensors: dict[str, np.ndarray]
    """`query`, `key` and `value` [L, H, T, D]."""
    probabilities: Tensor
    """[C], calibrated."""
    target: int
    """The class that the slopes are of."""


@dataclass
class PictureClassifier(Calibrated):
    """A model with what it needs to read pictures and to name classes."""

    model: ViT
    """In eval mode, on the device that computes."""
    classes: tuple[str, ...]
    temperature: float = 1.0
    """What logits are divided by, so that probabilities are calibrated."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made."""

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "PictureClassifier":
        """Read a checkpoint, or the best one of a run.

        Raises:
            DataError: none there, or damaged.
        """
        checkpoint = load_checkpoint(folder, KIND)
        with checkpoint.being_read():
            classes = class_names(json.loads(checkpoint.files[CLASSES]))
            if len(classes) != checkpoint.config["num_classes"]:
                raise ValueError(f"it names {len(classes)} classes")
            model = checkpoint.trained(lambda: ViT(ViTConfig(**checkpoint.config)), device)
            temperature = float(checkpoint.about.get("temperature", 1.0))
            return cls(model, classes, temperature, checkpoint.about)

    def prepare(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] uint8 as the model takes them: its device and size, from 0 to 1."""
        images = pixels.to(self.device).float() / 255
        size = self.model.config.image_size
        if images.shape[-1] != size:
            images = F.interpolate(images, (size, size), mode="bicubic", antialias=True)
        return images.clamp(0, 1)

    @torch.no_grad()
    def logits(self, pixels: Tensor, tta: bool = False, progress: Progress | None = None) -> Tensor:
        """Logits [N, C], float32 on the CPU, before the temperature.

        Args:
            pixels: [N, 3, S, S] uint8.
            tta: average over ten views of each picture: shifted in four directions, and mirrored.
        """
        logits: list[Tensor] = []
        for batch in pixels.split(_BATCH):
            views = _views(self.prepare(batch)) if tta else [self.prepare(batch)]
            with autocast(self.device):
                logits.append(sum(self.model(view).float().cpu() for view in views) / len(views))
            if progress:
                progress(sum(map(len, logits)), len(pixels))
        return torch.cat(logits) if logits else torch.empty(0, len(self.classes))

    def read(self, path: Path) -> Tensor:
        """The middle of the picture in a file: [3, S, S] uint8.

        Raises:
            DataError: as of `read_picture`.
        """
        size = self.model.config.image_size
        return torch.from_numpy(square(read_picture(path, size), size))

    @torch.no_grad()
    def answer(self, pixels: Tensor) -> Tensor:
        """Calibrated probabilities [N, C] of pictures [N, 3, S, S] uint8, the same as `attend`
        finds."""
        return self.probabilities(self.model(self.prepare(pixels)).float().cpu())

    def attend(self, pixels: Tensor, target: int | None = None) -> Attended:
        """All layers and heads on one picture.

        Args:
            pixels: [3, S, S] uint8.
            target: the class that the slopes are of; the most probable one when None.
        """
        image = self.prepare(pixels[None])
        with torch.enable_grad(), recorded_projections(self.model.blocks) as parts:
            image.requires_grad_()  # so that a model with frozen weights has gradients too
            logits, weights, shares = self.model.attend(image)
            probabilities = self.probabilities(logits.detach().float().cpu())[0]
            number = int(probabilities.argmax()) if target is None else target
            slopes = torch.autograd.grad(logits[0, number], weights)
        return Attended(
            (as_array(image)[0].transpose(1, 2, 0) * 255).round().astype(np.uint8),
            as_array(*weights),
            as_array(*slopes),
            as_array(shares)[0],
            {name: as_array(*each) for name, each in parts.items()},
            probabilities,
            number,
        )


def _views(images: Tensor) -> list[Tensor]:
    step = max(1, images.shape[-1] // 32)
    each = torch.ones(len(images), dtype=torch.long)
    moved = [
        shifted(images, step * down * each, step * right * each, step) for down, right in _SHIFTS
    ]
    return moved + [view.flip(-1) for view in moved]
