"""Pictures of three classes that a tiny model can tell apart, and such a model."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dlcc.core.checkpoint import save_checkpoint
from dlcc.core.images import ImageData, ImageSet
from dlcc.core.picture_classifier import PictureClassifier
from dlcc.core.vit import ViT, ViTConfig

COLOURS = {"blue": (30, 60, 220), "green": (20, 200, 60), "red": (220, 40, 30)}
CLASSES = tuple(COLOURS)
TINY = ViTConfig(
    3, image_size=8, patch_size=4, embed_dim=16, num_layers=2, num_heads=2, hidden_dim=16
)
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
    import json
    from dataclasses import asdict

    save_checkpoint(
        folder,
        kind="vit",
        model=answers.model,
        config=asdict(answers.model.config),
        about={"command": "a test", "seed": 0, "temperature": answers.temperature},
        files={"classes.json": json.dumps(answers.classes).encode()},
    )
    return folder
