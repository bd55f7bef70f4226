"""Learning to classify pictures: what ties labelled pictures, a model and `fit`.

Shapes: N pictures, B batch, S side of the square pictures, C classes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.calibration import calibrated_scores, fit_temperature
from dlcc.core.train.events import Event, Started, Stepped
from dlcc.core.train.runtime import seeded_generator
from dlcc.core.vit.augment import LEVELS, augment
from dlcc.core.vit.classifier import CLASSES, KIND, PictureClassifier
from dlcc.core.vit.cutmix import cutmix, mixed_labels, mixup
from dlcc.core.vit.data import ImageData
from dlcc.core.vit.model import ViT
from dlcc.core.vit.source import cutmix_trace, trace_of

_SMALLER = 3 / 4  # side of the pictures in the first part of a training that asks for it


@dataclass(frozen=True)
class VisionConfig:
    """How batches of pictures are made and what the loss is."""

    batch_size: int = 128
    """Pictures in a batch."""
    cutmix: float = 0.0
    """Share of the batches that CutMix makes."""
    mixup: float = 0.0
    """Share of the batches that MixUp makes."""
    augment: str = "light"
    """How pictures are changed: a name in `augment.LEVELS`."""
    label_smoothing: float = 0.0
    """Share of the target that is spread over all classes."""
    calm: float = 0.0
    """Last share of the training, in which nothing is mixed and at most lightly changed."""
    small: float = 0.0
    """First share of the training, in which pictures have three quarters of their side."""
    seed: int = 0
    """Seed of the order and of every change."""

    def __post_init__(self) -> None:
        checks = {
            f"--batch-size {self.batch_size}": self.batch_size >= 1,
            f"--cutmix {self.cutmix}": 0 <= self.cutmix <= 1,
            f"--mixup {self.mixup}": 0 <= self.mixup <= 1 - self.cutmix,
            f"--augment {self.augment}": self.augment in LEVELS,
            f"--label-smoothing {self.label_smoothing}": 0 <= self.label_smoothing < 1,
            f"--calm {self.calm}": 0 <= self.calm <= 1,
            f"--small {self.small}": 0 <= self.small <= 1,
        }
        for flag, valid in checks.items():
            if not valid:
                raise UsageError(f"{flag}: see --help for what it takes")


@dataclass(frozen=True)
class Batch:
    """Which pictures a step learns from."""

    epoch: int
    number: int
    places: Tensor
    """[B] int64 in the training part."""


class VisionTask:
    """Learn the classes of pictures; validated as `PictureClassifier` answers.

    Args:
        model: on the device it is trained on.
        data: what to learn.
        config: how.
        about: JSON values for the checkpoint.
        compiled: whether the training step runs through torch.compile.
    """

    kind = KIND
    metric = "accuracy"
    higher_is_better = True

    def __init__(
        self,
        model: ViT,
        data: ImageData,
        config: VisionConfig,
        about: dict[str, Any],
        compiled: bool = False,
    ) -> None:
        self.model, self.data, self.how = model, data, config
        self.answers = PictureClassifier(model, data.classes)
        self.config = json.loads(json.dumps(asdict(model.config)))  # tuples become lists
        self.files = {CLASSES: json.dumps(data.classes, ensure_ascii=False).encode()}
        self.about = {**about, "vision": asdict(config)}
        self.progress = 0.0
        """Share of the training that is done, as `watch` was told."""
        self._total = 1
        self._forward = torch.compile(model) if compiled else model

    def watch(self, event: Event) -> None:
        """Learn from `fit`'s events how far the training is."""
        if isinstance(event, Started):
            self._total = event.epochs * event.steps_per_epoch
            self.progress = event.step / self._total
        elif isinstance(event, Stepped):
            # The steps alone give the same number after a resume; a clock may be further.
            self.progress = max(event.step / self._total, event.progress)

    def batches(self, epoch: int) -> Sequence[Batch]:
        order = torch.randperm(
            len(self.data.train), generator=seeded_generator(self.how.seed, epoch)
        )
        parts = list(order.split(self.how.batch_size))
        if len(parts) > 1 and len(parts[-1]) < self.how.batch_size:
            parts.pop()  # other pictures are left out in the next epoch
        return [Batch(epoch, number, places) for number, places in enumerate(parts)]

    def loss(self, batch: Batch) -> tuple[Tensor, int]:
        generator = seeded_generator(self.how.seed, batch.epoch, batch.number)
        images = self.answers.prepare(self.data.train.pixels[batch.places])
        labels = self.data.train.labels[batch.places].to(images.device)
        images, targets = self._changed(images, labels, generator)
        logits = self._forward(images).float()
        loss = F.cross_entropy(logits, targets, label_smoothing=self.how.label_smoothing)
        return loss, len(batch.places)

    def _changed(
        self, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Augmented and perhaps mixed pictures, and their labels [B] or probabilities [B, C]."""
        is_calm = self.progress >= 1 - self.how.calm and self.how.calm > 0
        level = "light" if is_calm and self.how.augment == "strong" else self.how.augment
        images = augment(images, LEVELS[level], generator)
        drawn = float(torch.rand((), generator=generator))
        targets = labels
        if drawn < self.how.cutmix + self.how.mixup and not is_calm:
            mix = cutmix if drawn < self.how.cutmix else mixup
            mixed = mix(images, generator)
            images, targets = mixed.images, mixed_labels(labels, mixed, len(self.data.classes))
        if self.progress < self.how.small:
            patch = self.model.config.patch_size
            side = max(patch, round(images.shape[-1] * _SMALLER / patch) * patch)
            images = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
        return images, targets

    def validate(self) -> dict[str, float]:
        logits = self.answers.logits(self.data.validation.pixels)
        labels = self.data.validation.labels
        self.answers.temperature = fit_temperature(logits, labels)
        self.about["temperature"] = self.answers.temperature
        return calibrated_scores(logits, labels, self.answers.temperature)

    def sample(self) -> str:
        part = self.data.validation
        logits = self.answers.logits(part.pixels[:1])
        probability, place = self.answers.probabilities(logits)[0].max(0)
        truth = self.data.classes[int(part.labels[0])]
        return f"{part.names[0]}, {truth}: {self.data.classes[int(place)]} {probability:.2f}"

    def traces(self) -> list[AttentionTrace]:
        pixels, labels = self.data.validation.pixels, self.data.validation.labels
        others = (labels != labels[0]).nonzero().flatten()
        if not self.how.cutmix or not len(others):
            return [trace_of(self.answers, pixels[0])]
        other = int(others[0])
        names = (self.data.classes[int(labels[0])], self.data.classes[int(labels[other])])
        return [cutmix_trace(self.answers, pixels[0], pixels[other], names)]
