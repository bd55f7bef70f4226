"""Pictures of three classes that a tiny model can tell apart, and such a model."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from dlcc.core.train.checkpoint import save_checkpoint
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.config import ViTConfig
from dlcc.core.vit.images import ImageData, ImageSet
from dlcc.core.vit.model import ViT

COLOURS = {"blue": (30, 60, 220), "green": (20, 200, 60), "red": (220, 40, 30)}
CLASSES = tuple(COLOURS)
TINY = ViTConfig(
    3, image_size=8, patch_size=4, embed_dim=16, num_layers=2, num_heads=2, hidden_dim=16
)
BACKBONE = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "patch_size": 7}
TINY_OPTIONS = (
    *("--size", 8, "--stem", "none", "--patch-size", 4, "--width", 16, "--layers", 2),
    *("--heads", 2, "--hidden", 16, "--batch-size", 12),
)


def pixels_of(name: str, seed: int, size: int = 8) -> np.ndarray:
    """[size, size, 3] uint8: noise, with a square of the class's colour somewhere."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 90, (size, size, 3), dtype=np.uint8)
    top, left = random.integers(0, size // 2 + 1, 2)
    image[top : top + size // 2, left : left + size // 2] = COLOURS[name]
    return image


def write_pictures(
    folder: Path, count: int = 20, parts: tuple[str, ...] = ("train", "test")
) -> Path:
    """`count` pictures of each class in each part, as class folders."""
    seed = 0
    for part in parts:
        for name in CLASSES:
            where = folder / part / name
            where.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                Image.fromarray(pixels_of(name, seed)).save(where / f"{number:03}.png")
                seed += 1
    return folder


def image_set(count: int, seed: int = 0) -> ImageSet:
    labels = torch.arange(count) % 3
    pixels = [pixels_of(CLASSES[label], seed + n) for n, label in enumerate(labels.tolist())]
    names = tuple(f"{n}.png" for n in range(count))
    return ImageSet(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), labels, names)


def image_data() -> ImageData:
    return ImageData(
        CLASSES, image_set(48), image_set(12, 1000), image_set(12, 2000), "hash", skipped=()
    )


def classifier(config: ViTConfig = TINY) -> PictureClassifier:
    """With drawn weights."""
    torch.manual_seed(0)
    return PictureClassifier(ViT(config).eval(), CLASSES)


def learned_classifier() -> PictureClassifier:
    """One that tells the classes apart, by hand: the mean colour of the picture decides."""
    answers = classifier()
    data = image_set(96)
    optimizer = torch.optim.AdamW(answers.model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        scores = answers.model(answers.prepare(data.pixels))
        torch.nn.functional.cross_entropy(scores, data.labels).backward()
        optimizer.step()
    return answers


def save_classifier(folder: Path, answers: PictureClassifier) -> Path:
    save_checkpoint(
        folder,
        kind="vit",
        weights=answers.model.state_dict(),
        config=asdict(answers.model.config),
        about={"command": "a test", "seed": 0, "temperature": answers.temperature},
        files={"classes.json": json.dumps(answers.classes).encode()},
    )
    return folder


def hugging_face_folder(folder: Path, **changes: Any) -> Path:
    """A dinov2 folder of random weights, written by hand."""
    names = {
        "embeddings.cls_token": (1, 1, 24),
        "embeddings.mask_token": (1, 24),
        "embeddings.position_embeddings": (1, 17, 24),
        "embeddings.patch_embeddings.projection.weight": (24, 3, 7, 7),
        "embeddings.patch_embeddings.projection.bias": (24,),
        "layernorm.weight": (24,),
        "layernorm.bias": (24,),
    }
    for layer in range(2):
        there = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            names[f"{there}.attention.attention.{name}.weight"] = (24, 24)
        shapes = {"attention.output.dense": (24, 24), "mlp.fc1": (96, 24), "mlp.fc2": (24, 96)}
        for name, shape in shapes.items():
            names[f"{there}.{name}.weight"] = shape
            names[f"{there}.{name}.bias"] = shape[:1]
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            names[f"{there}.{name}"] = (24,)
        for name in ("layer_scale1.lambda1", "layer_scale2.lambda1"):
            names[f"{there}.{name}"] = (24,)
    torch.manual_seed(0)
    save_file({n: torch.randn(s) for n, s in names.items()}, folder / "model.safetensors")
    settings = {**BACKBONE, "model_type": "dinov2", "image_size": 28, "mlp_ratio": 4, **changes}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder
