"""Learning to classify pictures: what ties labelled pictures, a model and `fit`.

Shapes: N pictures, B batch, S side of the square pictures, C classes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
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
from dlcc.core.train.runtime import choose_device, compiled, moved, resident, seeded_generator
from dlcc.core.train.task import Recordable
from dlcc.core.vit.augment import LEVELS, augment, cutmix, mixed_labels, mixup
from dlcc.core.vit.backbones import load_backbone
from dlcc.core.vit.classifier import CLASSES, KIND, PictureClassifier
from dlcc.core.vit.config import EITHER_MIX, PicturesConfig, VisionConfig, ViTConfig
from dlcc.core.vit.data import read_pictures
from dlcc.core.vit.images import ImageData
from dlcc.core.vit.model import ViT
from dlcc.core.vit.source import cutmix_trace, trace_of

_SMALLER = 3 / 4  # side of the pictures in the first part of a training that asks for it


class VisionTask:
    """Learn the classes of pictures; validated as `PictureClassifier` answers.

    Args:
        compile: whether what a step computes runs through torch.compile.
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
        compile: bool = False,
    ) -> None:
        self.model, self.data, self.settings = model, data, config
        self.progress: Progress | None = None
        self.classifier = PictureClassifier(model, data.classes)
        self.config = json.loads(json.dumps(asdict(model.config)))  # tuples become lists
        self.files = {CLASSES: json.dumps(data.classes, ensure_ascii=False).encode()}
        self.about = {**about, "vision": asdict(config)}
        self.pixels, self.labels = data.train.pixels, data.train.labels
        if isinstance(self.pixels, Tensor):
            self.pixels, self.labels = resident(self.device, self.pixels, self.labels)
        self._change, self._loss = self._changed, self._loss_of
        if compile:
            self._change, self._loss = compiled(self._changed), compiled(self._loss_of)

    @property
    def device(self) -> torch.device:
        """Where a step is computed."""
        return self.classifier.device

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Places [B] in the training part; no batch is smaller than the others."""
        count, size = len(self.data.train), self.settings.batch_size
        order = torch.randperm(count, generator=seeded_generator(self.settings.seed, epoch))
        if count > size:
            order = order[: count // size * size]  # other pictures are left out in the next epoch
        return order.to(self.pixels.device).split(size)

    def loss(self, batch: Tensor, done: float) -> tuple[Tensor, int]:
        step = self.recordable(batch, done)
        return step.loss(*step.inputs), step.items

    def recordable(self, batch: Tensor, done: float) -> Recordable:
        """See `Recordable`: pictures are of the small side or not, and calm or not."""
        settings = self.settings
        is_calm, is_small = done >= 1 - settings.calm and settings.calm > 0, done < settings.small
        inputs = moved(self.device, self.pixels[batch], self.labels[batch])

        def loss(pixels: Tensor, labels: Tensor) -> Tensor:
            images, targets = self._change(pixels, labels, is_calm, is_small)
            rows, part = team().share(len(batch))
            return self._loss(images[rows], targets[rows]) * part

        return Recordable((is_calm, is_small), loss, inputs, len(batch))

    def _loss_of(self, images: Tensor, targets: Tensor) -> Tensor:
        logits = self.model(images).float()
        return F.cross_entropy(logits, targets, label_smoothing=self.settings.label_smoothing)

    def _changed(
        self, pixels: Tensor, labels: Tensor, is_calm: bool, is_small: bool
    ) -> tuple[Tensor, Tensor]:
        """Augmented and perhaps mixed pictures, and the probabilities [B, C] of their classes."""
        settings, images = self.settings, self.classifier.prepare(pixels)
        targets = F.one_hot(labels, len(self.data.classes)).float()
        level = "light" if is_calm and settings.augment == "strong" else settings.augment
        images = augment(images, LEVELS[level])
        drawn = torch.rand(len(images), device=images.device)
        for mix, share in ((cutmix, settings.cutmix_share), (mixup, settings.mixup_share)):
            if share and not is_calm:
                mixed = mix(images, (drawn >= 0) & (drawn < share))
                images, targets = mixed.images, mixed_labels(targets, mixed)
            drawn = drawn - share
        if is_small:
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
        "train_hash": train_hash([*data.train.names, data.train.bytes_of_pixels()]),
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
