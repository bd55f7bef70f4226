"""Learning to classify pictures: what ties labelled pictures, a model and `fit`.

Shapes: N pictures, B batch, S side of the square pictures, C classes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.progress import Progress
from dlcc.core.settings import name_of, settings_of
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.train.classify import calibrate
from dlcc.core.train.distributed import team
from dlcc.core.train.parts import train_hash
from dlcc.core.train.recipe import Chosen, Narrator
from dlcc.core.train.runtime import choose_device, seeded_generator
from dlcc.core.vit.augment import LEVELS, augment, cutmix, mixed_labels, mixup
from dlcc.core.vit.backbones import load_backbone
from dlcc.core.vit.classifier import CLASSES, KIND, PictureClassifier
from dlcc.core.vit.config import EITHER_MIX, PicturesConfig, VisionConfig, ViTConfig
from dlcc.core.vit.data import ImageData, read_pictures
from dlcc.core.vit.model import ViT
from dlcc.core.vit.source import cutmix_trace, trace_of

_SMALLER = 3 / 4  # side of the pictures in the first part of a training that asks for it


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
        self.model, self.data, self.settings = model, data, config
        self.progress: Progress | None = None
        self.classifier = PictureClassifier(model, data.classes)
        self.config = json.loads(json.dumps(asdict(model.config)))  # tuples become lists
        self.files = {CLASSES: json.dumps(data.classes, ensure_ascii=False).encode()}
        self.about = {**about, "vision": asdict(config)}
        self._forward = torch.compile(model) if compiled else model

    def batches(self, epoch: int) -> Sequence[Batch]:
        order = torch.randperm(
            len(self.data.train), generator=seeded_generator(self.settings.seed, epoch)
        )
        parts = list(order.split(self.settings.batch_size))
        if len(parts) > 1 and len(parts[-1]) < self.settings.batch_size:
            parts.pop()  # other pictures are left out in the next epoch
        return [Batch(epoch, number, places) for number, places in enumerate(parts)]

    def loss(self, batch: Batch, done: float) -> tuple[Tensor, int]:
        generator = seeded_generator(self.settings.seed, batch.epoch, batch.number)
        images = self.classifier.prepare(self.data.train.pixels[batch.places])
        labels = self.data.train.labels[batch.places].to(images.device)
        images, targets = self._changed(images, labels, generator, done)
        rows, part = team().share(len(batch.places))
        logits, targets = self._forward(images[rows]).float(), targets[rows]
        loss = F.cross_entropy(logits, targets, label_smoothing=self.settings.label_smoothing)
        return loss * part, len(batch.places)

    def _changed(
        self, images: Tensor, labels: Tensor, generator: torch.Generator, done: float
    ) -> tuple[Tensor, Tensor]:
        """Augmented and perhaps mixed pictures, and their labels [B] or probabilities [B, C]."""
        is_calm = done >= 1 - self.settings.calm and self.settings.calm > 0
        level = "light" if is_calm and self.settings.augment == "strong" else self.settings.augment
        images = augment(images, LEVELS[level], generator)
        drawn = float(torch.rand((), generator=generator))
        targets = labels
        if drawn < self.settings.cutmix_share + self.settings.mixup_share and not is_calm:
            mix = cutmix if drawn < self.settings.cutmix_share else mixup
            mixed = mix(images, generator)
            images, targets = mixed.images, mixed_labels(labels, mixed, len(self.data.classes))
        if done < self.settings.small:
            patch = self.model.config.patch_size
            side = max(patch, round(images.shape[-1] * _SMALLER / patch) * patch)
            images = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
        return images, targets

    def validate(self) -> dict[str, float]:
        logits = self.classifier.logits(self.data.validation.pixels, progress=self.progress)
        scores = calibrate(self.classifier, logits, self.data.validation.labels)
        self.about["temperature"] = self.classifier.temperature
        return scores

    def sample(self) -> str:
        part = self.data.validation
        logits = self.classifier.logits(part.pixels[:1])
        probability, place = self.classifier.probabilities(logits)[0].max(0)
        truth = self.data.classes[int(part.labels[0])]
        return f"{part.names[0]}, {truth}: {self.data.classes[int(place)]} {probability:.2f}"

    def traces(self) -> list[AttentionTrace]:
        pixels, labels = self.data.validation.pixels, self.data.validation.labels
        others = (labels != labels[0]).nonzero().flatten()
        if not self.settings.cutmix_share or not len(others):
            return [trace_of(self.classifier, pixels[0].numpy())]
        other = int(others[0])
        names = (self.data.classes[int(labels[0])], self.data.classes[int(labels[other])])
        pair = pixels[0].numpy(), pixels[other].numpy()
        return [cutmix_trace(self.classifier, *pair, names)]


def build(chosen: Chosen, narrator: Narrator) -> VisionTask:
    """Read the data and build the model.

    Raises:
        UsageError: settings that do not go together.
        DataError: pictures or a backbone that cannot be read.
    """
    device = choose_device(chosen.device)
    config = _mixed(chosen)
    asked: PicturesConfig = chosen.make(PicturesConfig)
    about: dict[str, Any] = {"command": chosen.command, "seed": chosen.seed}
    torch.manual_seed(chosen.seed)

    def read(size: int) -> ImageData:
        how = asked.validation, chosen.seed, narrator, chosen.keeps_copies, asked.classes_at
        return read_pictures(asked.data, size, *how)

    if asked.backbone is None:
        class_token = {"class_token": True} if chosen.given.get("pooling") == "class" else {}
        chosen.make(ViTConfig, num_classes=2, **class_token)  # complains before the long work
        data = read(chosen["image_size"])
        model = ViT(chosen.make(ViTConfig, num_classes=len(data.classes), **class_token))
    else:
        model = _pretrained(asked, chosen, narrator)
        data = read(model.config.image_size)
        model.replace_head(len(data.classes))
        if asked.freeze:
            model.requires_grad_(False)
            model.head.requires_grad_(True)
        about |= {"backbone": Path(asked.backbone).name, "freeze": asked.freeze}
    about["data"] = {
        "file": asked.data.name if asked.data else "CIFAR-10",
        "validation_share": asked.validation,
        "train": len(data.train),
        **({} if chosen.keeps_copies else {"left_out": data.left_out}),
        "validation": len(data.validation),
        "test": len(data.test),
        "split_hash": data.split_hash,
        "train_hash": train_hash([*data.train.names, bytes(data.train.pixels.numpy().data)]),
    }
    return VisionTask(model.to(device), data, config, about, asked.compiled)


def _mixed(chosen: Chosen) -> VisionConfig:
    """The preset's shares of mixed batches, unless they were asked for otherwise."""
    shares = {}
    for name in ("cutmix", "mixup"):
        usual, asked = chosen.values.get(f"{name}_share", 0.0), chosen[name]
        shares[f"{name}_share"] = usual if asked is None else (usual or EITHER_MIX) * asked
    config: VisionConfig = chosen.make(VisionConfig, **shares)
    return config


def _pretrained(asked: PicturesConfig, chosen: Chosen, narrator: Narrator) -> ViT:
    """A backbone; its head knows a single class yet."""
    for each in settings_of(ViTConfig):
        if each.name in chosen.given and each.name not in ("image_size", "pooling"):
            raise UsageError("the backbone brings its own: leave it out", name_of(each))
    size, pooling = chosen.given.get("image_size"), chosen.given.get("pooling", "class")
    with narrator.transferring(f"downloading {asked.backbone}") as progress:
        return load_backbone(str(asked.backbone), 1, size, pooling, progress)
