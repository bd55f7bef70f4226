"""Vision models of Hugging Face's layout and of timm: labels, and where they looked.

Shapes: S side of the square pictures, T tokens, C classes.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.core.capture import capture
from dlcc.core.errors import UsageError
from dlcc.core.huggingface.loading import load, settings_in
from dlcc.core.sources import made_by
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.vit.pictures import read_picture, square
from dlcc.core.vit.source import CLASS_TOKEN, TOP, top_answers

_MEAN, _STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


class PictureModel:
    """A vision model that answers: pictures in, probabilities of its own labels out.

    Raises:
        UsageError: a model that takes no pictures.
    """

    temperature = 1.0

    def __init__(self, name: str, device: str = "auto") -> None:
        self.loaded = load(name, device)
        self.name, self.model = name, self.loaded.model
        if self.loaded.kind != "picture":
            raise UsageError(f"{name} takes no pictures", "model", name)
        config: dict[str, Any] = self.loaded.config
        config = config | config.get("vision_config", {})
        first = config.get("pretrained_cfg", {})
        size = config.get("image_size") or (first.get("input_size") or [3, 224])[-1]
        self.size = int(size if isinstance(size, int) else size[0])
        about = settings_in(self.loaded.folder / "preprocessor_config.json", {}) | {
            f"image_{key}": first[key] for key in ("mean", "std") if key in first
        }
        wanted = about.get("crop_size") or about.get("size") or self.size
        if isinstance(wanted, dict):
            wanted = wanted.get("height") or wanted.get("shortest_edge") or self.size
        self.patch = int(config.get("patch_size") or 16)
        if config.get("model_type", "").startswith("dinov2") and wanted % self.patch == 0:
            self.size = int(wanted)  # it takes any size
        self.mean, self.std = (
            torch.tensor(about.get(name, default))[:, None, None]
            for name, default in (("image_mean", _MEAN), ("image_std", _STD))
        )
        names = config.get("id2label") or {}
        labels = config.get("label_names") or first.get("label_names")
        self.classes: tuple[str, ...] = tuple(
            labels or (str(names[n]) for n in sorted(names, key=int))
        )
        self.windows = config.get("model_type", "").startswith("swin")
        """Whether it attends within windows: no map is of the whole picture."""

    def read(self, path: Path) -> np.ndarray:
        """The middle of the picture in a file: [3, S, S] uint8."""
        return square(read_picture(path, self.size), self.size)

    def prepare(self, pixels: np.ndarray) -> Tensor:
        """Pictures [N, 3, S, S] uint8 as the model takes them."""
        images = torch.from_numpy(pixels).float() / 255
        return ((images - self.mean) / self.std).to(self.loaded.device)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, C], or [N, D] of a model without classes."""
        output = self.model(images)
        if isinstance(output, Tensor):
            return output
        if "logits" in output:
            logits: Tensor = output.logits
            return logits
        pooled = output.get("pooler_output")
        return output.last_hidden_state[:, 0] if pooled is None else pooled

    @torch.inference_mode()
    def answer(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities [N, C] of pictures [N, 3, S, S] uint8."""
        logits = self.forward(self.prepare(pixels)).float().cpu()
        shares: np.ndarray = self.shares(logits).numpy()
        return shares

    def shares(self, logits: Tensor) -> Tensor:
        """Probabilities; of a model without classes none [N, 1]."""
        if not self.labelled(logits.shape[-1]):
            return torch.ones(len(logits), 1)
        return logits.softmax(-1)

    def labelled(self, width: int) -> bool:
        output_is_logits = self.loaded.config.get("architectures", [""])[0].endswith(
            "Classification"
        ) or ("pretrained_cfg" in self.loaded.config)
        if output_is_logits and len(self.classes) != width:
            self.classes = tuple(f"class {n}" for n in range(width))
        if not output_is_logits:
            self.classes = ("(no classes)",)
        return output_is_logits


class PictureModelSource:
    """A vision model of Hugging Face's layout, as the commands ask ours."""

    title = "Picture: what a vision model looks at"
    asks = ()

    def __init__(self, name: str, device: str = "auto") -> None:
        self.classifier = PictureModel(name, device)

    def traces(self, file: str) -> list[AttentionTrace]:
        path = Path(file).expanduser()
        return [self.trace(self.classifier.read(path), path)]

    def trace(self, pixels: np.ndarray, path: Path, top: int = TOP) -> AttentionTrace:
        """What is attended to in the picture [3, S, S] that was read from `path`.

        Raises:
            UsageError: a model whose maps are not of the whole picture.
        """
        model = self.classifier
        if model.windows:
            raise UsageError(
                f"{model.name} is a Swin model: it attends within windows and has no map of the "
                "whole picture; without a picture of its attention it answers"
            )
        image = model.prepare(pixels[None])
        with torch.enable_grad(), capture(model.model, gradients=True) as seen:
            logits = model.forward(image.requires_grad_())
        shares = model.shares(logits.detach().float().cpu())[0]
        labelled = model.labelled(logits.shape[-1])
        target = int(shares.argmax())
        score = logits[0, target] if labelled else logits[0].square().sum()
        weights = seen.trace().weights
        length = weights.shape[-1]
        side = model.size // model.patch
        if side * side > length:
            side = math.isqrt(length)
        extra = length - side * side
        slopes = seen.slopes(score)[0]
        names = [f"{row},{column}" for row in range(1, side + 1) for column in range(1, side + 1)]
        special = [CLASS_TOKEN, *(f"[REG{n}]" for n in range(1, extra))][:extra]
        pooling = np.zeros(length, np.float32)
        if extra:
            pooling[0] = 1
        else:
            pooling[:] = 1 / length
        explanations: Mapping[str, np.ndarray] = {
            "last": pooling @ weights[-1].mean(0, dtype=np.float32),
            "rollout": pooling @ maps.rollout(weights),
            "gradient": pooling @ maps.relevance(weights, slopes),
        }
        names = [*special, *names]
        answers = top_answers(model, shares.numpy(), top)  # type: ignore[arg-type]
        trace = seen.trace(
            names,
            kind="vit",
            title=f"{path.name}: {answers[0][0]} {answers[0][1]:.2f}",
            special=tuple(special),
            image=np.ascontiguousarray(pixels.transpose(1, 2, 0)),
            grid=(side, side),
            details={
                "answers": answers,
                "explains": model.classes[target] if labelled else "the size of its output",
                "file": path.name,
                "notes": seen.notes,
            },
            made_by=made_by("vit", [str(path)], {"model": model.name}, "transformers"),
        )
        extra_tensors = {f"explanation.{name}": each for name, each in explanations.items()}
        trace.tensors.update({"pooling": pooling, **extra_tensors})
        return trace
