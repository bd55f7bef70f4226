"""A trained picture classifier that answers: pictures in, calibrated probabilities out.

Shapes: N pictures, S side of the square pictures, C classes; L layers, H heads, T tokens, D width
of a head.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.core.files.paths import being_read
from dlcc.core.progress import Progress
from dlcc.core.runner import Runner, TorchRunner, opened
from dlcc.core.train.calibrated import Calibrated, class_names
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.pictures import read_picture, square

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dlcc.core.vit.images import Pixels
    from dlcc.core.vit.model import ViT

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
    slopes: np.ndarray | None
    """[L, H, T, T]: how much each weight raises the target's logit; None of an exported graph,
    which has no gradients."""
    pooling: np.ndarray
    """[T]: the share of each token in what is classified."""
    tensors: dict[str, np.ndarray]
    """`query`, `key` and `value` [L, H, T, D]."""
    probabilities: np.ndarray
    """[C], calibrated."""
    target: int
    """The class that the slopes are of."""


@dataclass
class PictureClassifier(Calibrated):
    """A model with what it needs to read pictures and to name classes."""

    model: "ViT | None"
    """In eval mode, on the device that computes; None where `runner` is not torch's."""
    classes: tuple[str, ...]
    temperature: float = 1.0
    """What logits are divided by, so that probabilities are calibrated."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made."""
    runner: Runner = None  # type: ignore[assignment]  # the model's, where it is left out
    config: ViTConfig = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.model is not None:
            from dlcc.core.vit.graphs import graphs

            self.runner, self.config = (
                TorchRunner(self.model, graphs(self.model)),
                self.model.config,
            )

    @classmethod
    def open(cls, place: Path, device: str = "auto", runner: str = "auto") -> "PictureClassifier":
        """What answers fastest: a checkpoint's graphs where it has them, else its model.

        Args:
            place: a checkpoint, a run or an exported graph.
            device: auto, or torch's name.
            runner: one of `runner.RUNNERS`.

        Raises:
            DataError: none there, or damaged.
            UsageError: as of `runner.opened`.
        """
        found = opened(place, KIND, runner, device)
        if found is None:
            from dlcc.core.train.runtime import choose_device

            return cls.load(place, choose_device(device))
        with being_read(found.place):
            about, temperature = found.about, float(found.about.get("temperature", 1.0))
            classes = _classes(found.files, found.config)
            return cls(None, classes, temperature, about, found.runner, ViTConfig(**found.config))

    @classmethod
    def load(cls, folder: Path, device: "torch.device") -> "PictureClassifier":
        """Read a checkpoint, or the best one of a run, for torch.

        Raises:
            DataError: none there, or damaged.
        """
        from dlcc.core.train.checkpoint import load_checkpoint
        from dlcc.core.vit.model import ViT

        checkpoint = load_checkpoint(folder, KIND)
        with checkpoint.being_read():
            classes = _classes(checkpoint.files, checkpoint.config)
            model = checkpoint.trained(lambda: ViT(ViTConfig(**checkpoint.config)), device)
            temperature = float(checkpoint.about.get("temperature", 1.0))
            return cls(model, classes, temperature, checkpoint.about)

    def prepare(self, pixels: "Tensor") -> "Tensor":
        """Pictures [N, 3, S, S] uint8 as the model takes them: its device and size, from 0 to 1."""
        import torch.nn.functional as F

        from dlcc.core.vit.graphs import from_bytes

        images = from_bytes(pixels.to(self.device))
        size = self.config.image_size
        if images.shape[-1] != size:
            images = F.interpolate(images, (size, size), mode="bicubic", antialias=True)
        return images.clamp(0, 1)

    def logits(
        self, pixels: "Pixels", tta: bool = False, progress: Progress | None = None
    ) -> "Tensor":
        """Logits [N, C], float32 on the CPU, before the temperature; by torch.

        Args:
            pixels: [N, 3, S, S] uint8.
            tta: average over ten views of each picture: shifted in four directions, and mirrored.
        """
        import torch

        from dlcc.core.train.runtime import autocast

        assert self.model is not None  # who scores has loaded it
        logits: list[Tensor] = []
        for batch in pixels.split(_BATCH):
            views = _views(self.prepare(batch)) if tta else [self.prepare(batch)]
            with torch.no_grad(), autocast(self.device):
                logits.append(sum(self.model(view).float().cpu() for view in views) / len(views))
            if progress:
                progress(sum(map(len, logits)), len(pixels))
        return torch.cat(logits) if logits else torch.empty(0, len(self.classes))

    def read(self, path: Path) -> np.ndarray:
        """The middle of the picture in a file: [3, S, S] uint8.

        Raises:
            DataError: as of `read_picture`.
        """
        size = self.config.image_size
        return square(read_picture(path, size), size)

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Calibrated probabilities [N, C] of pictures [N, 3, S, S] uint8, the same as `attend`
        finds."""
        return self.probabilities(self.runner.run("answer", pixels=pixels)["logits"])

    def sized(self, pixels: np.ndarray) -> np.ndarray:
        """A picture [3, S', S'] uint8 at the model's size: [3, S, S] uint8."""
        if pixels.shape[-1] == self.config.image_size:
            return pixels
        import torch

        images = self.prepare(torch.from_numpy(pixels)[None])[0]
        found: np.ndarray = (images * 255).round().byte().cpu().numpy()
        return found

    def attend(self, pixels: np.ndarray, target: int | None = None) -> Attended:
        """All layers and heads on one picture.

        Args:
            pixels: [3, S', S'] uint8, of any size.
            target: the class that the slopes are of; the most probable one when None.
        """
        pixels = self.sized(pixels)
        number = np.array([-1 if target is None else target])
        found = {
            name: each[0]
            for name, each in self.runner.run("attend", pixels=pixels[None], target=number).items()
        }
        probabilities = self.probabilities(found["logits"])
        return Attended(
            np.ascontiguousarray(pixels.transpose(1, 2, 0)),
            found["weights"],
            found.get("slopes"),
            found["pooling"],
            {name: found[name] for name in ("query", "key", "value")},
            probabilities,
            int(probabilities.argmax()) if target is None else target,
        )


def _classes(files: Mapping[str, bytes], config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a checkpoint's classes."""
    classes = class_names(json.loads(files[CLASSES]))
    if len(classes) != config["num_classes"]:
        raise ValueError(f"it names {len(classes)} classes")
    return classes


def _views(images: "Tensor") -> "list[Tensor]":
    import torch

    from dlcc.core.vit.augment import shifted

    step = max(1, images.shape[-1] // 32)
    each = torch.ones(len(images), dtype=torch.long)
    moved = [
        shifted(images, step * down * each, step * right * each, step) for down, right in _SHIFTS
    ]
    return moved + [view.flip(-1) for view in moved]
