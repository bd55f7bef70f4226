"""Which pictures are learned from, and which validate and test.

Shapes: N pictures, S side of the square pictures.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.train.runtime import seeded_generator
from dlcc.core.vit.images import ImageData, ImageSet, MappedPictures, Pixels
from dlcc.core.vit.store import Content

_TEST_SHARE = 0.1  # of pictures that come without a test part


def split(
    content: Content, path: Path, validation_share: float, seed: int, keep_copies: bool
) -> ImageData:
    """Pictures in their parts.

    Args:
        content: all of them.
        path: what messages call them.
        validation_share: share of the training part that validates, where there is none of its own.
        seed: draws the validation part.
        keep_copies: whether equal pictures in several parts stay.

    Raises:
        DataError: fewer than two classes, a class without pictures to train on, too few to set
            some apart.
    """
    parts = list(content.parts)
    if "train" not in parts:
        parts = ["train" if part in ("", "train") else part for part in parts]
    if "test" not in parts and "validation" in parts:
        parts = ["test" if part == "validation" else part for part in parts]
    named = tuple(sorted({"test", "validation"} & set(parts)))
    classes = tuple(sorted({c for c, p in zip(content.classes, parts, strict=True) if p}))
    _check_classes(path, classes, content.classes, parts)
    number = {name: place for place, name in enumerate(classes)}
    labels = torch.tensor([number.get(name, -1) for name in content.classes])
    places = {p: torch.tensor([n for n, q in enumerate(parts) if q == p]) for p in set(parts)}
    for part, share, draw in (("test", _TEST_SHARE, 0), ("validation", validation_share, seed)):
        if part not in places:
            places["train"], places[part] = _stratified(labels, places["train"], share, draw)
    if not len(places["validation"]):
        raise DataError(f"{path} has too few pictures to set some apart: give 3 or more a class")
    digest = hashlib.sha256()
    for part in ("validation", "test"):
        for place in places[part].tolist():
            label = int(labels[place])
            digest.update(f"{part}\t{content.names[place]}\t{label}\n".encode())
    left_out = 0 if keep_copies else _leave_apart(places, labels, content, path)
    everything = ImageSet(_pixels(content), labels, tuple(content.names))
    sets: dict[str, Any] = {p: everything.part(places[p]) for p in ("train", "validation", "test")}
    return ImageData(
        classes,
        **sets,
        split_hash=digest.hexdigest(),
        skipped=tuple(content.skipped),
        left_out=left_out,
        passed=tuple(content.passed),
        named=named,
    )


def _pixels(content: Content) -> Pixels:
    if isinstance(content.pixels, np.memmap):
        return MappedPictures(content.pixels, content.digests, torch.from_numpy(content.rows))
    pixels, rows = torch.from_numpy(content.pixels), torch.from_numpy(content.rows)
    return pixels if torch.equal(rows, torch.arange(len(pixels))) else pixels[rows]


def _leave_apart(places: dict[str, Tensor], labels: Tensor, content: Content, path: Path) -> int:
    """Take copies of what is in another part out of `places`, and say how many: what is tested on
    stays, and the split is known as before."""
    seen: set[bytes] = set()
    left_out = 0
    for name in ("test", "validation", "train"):
        part = places[name]
        # As numpy: a tensor of one place would be taken for a plain number.
        prints = [content.digests[row].tobytes() for row in content.rows[part.numpy()]]
        kept = part[torch.tensor([print not in seen for print in prints], dtype=torch.bool)]
        if len(labels[kept].unique()) < len(labels[part].unique()) or not len(kept):
            raise DataError(f"{path}: all {name} pictures of a class also validate or test")
        seen.update(prints)
        places[name] = kept
        left_out += len(part) - len(kept)
    return left_out


def _check_classes(
    path: Path, classes: tuple[str, ...], names: list[str], parts: list[str]
) -> None:
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise DataError(f"{path} has {len(classes)} class ({found}): two or more are needed")
    trained = {name for name, part in zip(names, parts, strict=True) if part == "train"}
    missing = [name for name in classes if name not in trained]
    if missing:
        raise DataError(f"{path}: the class {missing[0]} has no picture to train on")


def _stratified(labels: Tensor, places: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Training and validation places, the same share of each class and at least one picture."""
    validation = []
    for label in labels[places].unique().tolist():
        own = places[labels[places] == label]
        order = torch.randperm(len(own), generator=seeded_generator(seed, label))
        count = min(max(1, round(share * len(own))), max(len(own) - 1, 0))
        validation.append(own[order[:count]])
    chosen = torch.cat(validation).sort().values
    return places[~torch.isin(places, chosen)], chosen
