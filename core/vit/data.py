"""Labelled pictures: find, decode once into one uint8 tensor, cache, split.

Shapes: N pictures, S side of the square pictures.
"""

import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files import hub
from dlcc.core.files.archives import each_file
from dlcc.core.files.download import RemoteFile, fetch
from dlcc.core.files.folders import Sorted, sort_files
from dlcc.core.files.paths import being_read, cache_dir
from dlcc.core.files.tensors import load_tensors, save_tensors
from dlcc.core.files.walk import files_in
from dlcc.core.progress import Progress
from dlcc.core.settings import PART
from dlcc.core.train.recipe import Narrator
from dlcc.core.train.runtime import seeded_generator
from dlcc.core.vit import cifar
from dlcc.core.vit.pictures import decode_picture, reads_heif, square, suffixes

CIFAR10 = RemoteFile(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5:c58f30108f718f92721af3b95e74349a",
)
"""Krizhevsky 2009, chapter 3."""
_TEST_SHARE = 0.1  # of pictures that come without a test part
_MAX_BYTES = 2**34
_MOST_CLASSES = 12  # whose counts are shown
_CACHE_VERSION = 2
_CACHE = "pictures"  # in its file: what is no picture


@dataclass(frozen=True)
class ImageSet:
    """Pictures with their classes."""

    pixels: Tensor
    """[N, 3, S, S] uint8."""
    labels: Tensor
    """[N] int64."""
    names: tuple[str, ...]
    """N file names inside the data."""

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, places: Tensor) -> "ImageSet":
        """The pictures at `places` [n] int64."""
        names = tuple(self.names[place] for place in places.tolist())
        return ImageSet(self.pixels[places], self.labels[places], names)


@dataclass(frozen=True)
class ImageData:
    """Pictures to learn from and to test on."""

    classes: tuple[str, ...]
    """Names, in alphabetical order; a label is a place in it."""
    train: ImageSet
    validation: ImageSet
    """Never trained on; what settings and weights are chosen by."""
    test: ImageSet
    split_hash: str
    """Of the names and labels in the validation and test parts."""
    skipped: tuple[str, ...]
    """One message for each picture that could not be read."""
    left_out: int = 0
    """Copies of pictures in another part; one to test on stays, else one to validate on."""
    passed: tuple[str, ...] = ()
    """What else was passed over, counted by the reason."""
    named: tuple[str, ...] = ()
    """Which of test and validation the data name themselves; the others were drawn."""

    def everything(self) -> ImageSet:
        """The pictures of all parts."""
        parts = (self.train, self.validation, self.test)
        return ImageSet(
            torch.cat([part.pixels for part in parts]),
            torch.cat([part.labels for part in parts]),
            sum((part.names for part in parts), ()),
        )


@dataclass(frozen=True)
class Content:
    """All pictures of a source, as they are cached."""

    pixels: Tensor
    names: list[str]
    """N file names inside the source."""
    classes: list[str]
    """N names of classes."""
    parts: list[str]
    """N of train, test, validation or empty."""
    skipped: list[str]
    """One message for each picture that could not be read."""
    passed: list[str]
    """What else was passed over, counted by the reason."""


def load_images(
    path: Path | None,
    size: int,
    validation_share: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
    keep_copies: bool = False,
    warn: Callable[[str], None] = lambda message: None,
    classes_at: int | None = None,
) -> ImageData:
    """Read pictures, or what an earlier call cached of them, and split them.

    Without a test part, a tenth is set apart, the same whatever the seed. Of pictures with the same
    pixels in several parts, those to train on are left out, and those to validate on.

    Args:
        path: a folder or archive with CLASS/NAME.jpg or .png, also in train/ and test/ (or val/),
            or CIFAR-10's official archive; None downloads that.
        size: largest side to keep; smaller pictures stay as they are, enlarged in use.
        validation_share: share of the training part that validates, where there is none of its own.
        seed: draws the validation part.
        progress: told how many pictures are decoded.
        keep_copies: whether equal pictures in several parts stay.
        warn: told that they could not be kept for the next time.
        classes_at: which level of folders the classes are, from 1; found when None.

    Raises:
        DataError: nothing there, fewer than two classes, a class without pictures to train on, or
            an archive that is damaged or hostile.
    """
    if not 0 < validation_share < 1:
        raise UsageError(PART.says, "validation", validation_share)
    path = path or fetch(CIFAR10)
    cached = _cache_file(path, size, classes_at)
    content = _read_cache(cached)
    if content is None:
        content = _decode(path, size, progress, classes_at)
        try:
            _write_cache(cached, content)
        except DataError as error:
            warn(f"{error}: these pictures are decoded anew next time")
    data = _split(content, path, validation_share, seed)
    return data if keep_copies else _apart(data, path)


def read_pictures(
    path: Path | None,
    size: int,
    validation_share: float,
    seed: int,
    narrator: Narrator,
    keep_copies: bool = False,
    classes_at: int | None = None,
) -> ImageData:
    """As `load_images`, which is told while it lasts, and what was read."""
    where = path
    if where is None:
        with narrator.transferring("downloading CIFAR-10") as progress:
            where = fetch(CIFAR10, progress)
    with narrator.counting("decoding pictures") as progress:
        data = load_images(
            where, size, validation_share, seed, progress, keep_copies, narrator.warn, classes_at
        )
    side = data.train.pixels.shape[-1]
    narrator.note(
        f"{path.name if path else 'CIFAR-10'}: {len(data.classes)} classes, {side} × {side} pixels,"
        f" {len(data.train):,} pictures to train on, {len(data.validation):,} to validate, "
        f"{len(data.test):,} to test"
    )
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    if len(data.classes) <= _MOST_CLASSES:
        for name, part in parts.items():
            counts = part.labels.bincount(minlength=len(data.classes)).tolist()
            shown = ", ".join(f"{c} {n:,}" for c, n in zip(data.classes, counts, strict=True))
            narrator.note(f"  {name}: {shown}")
    if data.passed:
        narrator.note(f"passed over: {', '.join(data.passed)}")
    if data.left_out:
        narrator.note(f"{data.left_out:,} pictures left out: copies of some to validate or test")
    if data.skipped:
        narrator.warn(f"{len(data.skipped)} pictures were left out; the first: {data.skipped[0]}")
    return data


def _decode(path: Path, size: int, progress: Progress | None, level: int | None) -> Content:
    batches: dict[str, bytes] = {}
    pictures: list[np.ndarray] = []
    names: list[str] = []
    damaged: dict[str, str] = {}
    others: list[str] = []
    passed: Counter[str] = Counter()
    endings = suffixes()

    def note(name: str, why: str) -> None:
        passed[why] += 1
        if why.startswith(("with", "empty", "link")):
            others.append(name)

    def is_batch(name: str) -> bool:
        return cifar.is_batch(f"{path.name}/{name}")

    def is_wanted(name: str) -> bool:
        return name.lower().endswith(endings) or is_batch(name)

    saved = hub.is_data_set(path)
    for name, data in hub.each_picture(path) if saved else each_file(path, is_wanted, note):
        if is_batch(name):
            batches[name] = data
            continue
        try:
            image = decode_picture(data, name, at_least=size)
        except DataError as error:
            damaged[name] = str(error)
            continue
        pictures.append(square(image, min(size, *image.size)))
        names.append(name)
        if pictures[-1].nbytes * len(pictures) > _MAX_BYTES:
            raise DataError(
                f"{path} takes more than 16 GiB so large: choose a smaller one", "size", size
            )
        if progress and len(pictures) % 100 == 0:
            progress(len(pictures), None)
    if batches:
        return _from_cifar(batches, path)
    found = sort_files(names, str(path), level, [*others, *damaged]) if names else Sorted({})
    if not found.places:
        reason = f"; {next(iter(damaged.values()))}" if damaged else ""
        raise DataError(f"{path} holds no pictures in class folders: CLASS/NAME.jpg{reason}")
    # an archive's own order may be any
    order = sorted(
        (n for n in range(len(names)) if names[n] in found.places), key=names.__getitem__
    )
    where = [found.places[names[n]] for n in order]
    return Content(
        _stacked([pictures[n] for n in order], size),
        [names[n] for n in order],
        [label for _, label in where],
        [part for part, _ in where],
        list(damaged.values()),
        [f"{n:,} {why}" for why, n in sorted((passed + found.passed).items())],
    )


def _from_cifar(batches: dict[str, bytes], path: Path) -> Content:
    found, classes = cifar.read_parts(batches, path)
    pixels = torch.from_numpy(np.concatenate([found[part][0] for part in found]))
    labels = [int(label) for part in found for label in found[part][1]]
    return Content(
        pixels.contiguous(),
        [name for part in found for name in found[part][2]],
        [classes[label] for label in labels],
        [part for part in found for _ in found[part][2]],
        [],
        [],
    )


def _stacked(pictures: list[np.ndarray], size: int) -> Tensor:
    """[N, 3, S, S], S being the pictures' own side where it is the same for all, else `size`."""
    if len({picture.shape for picture in pictures}) > 1:
        for number, picture in enumerate(pictures):
            if picture.shape[1] != size:
                image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
                pictures[number] = square(image, size)
    return torch.from_numpy(np.stack(pictures))


def _cache_file(path: Path, size: int, level: int | None = None) -> Path:
    """Where pictures are cached, by where they are, when they changed and how they are decoded."""
    digest = hashlib.sha256(
        os.fsencode(f"{_CACHE_VERSION} {size} {level} {reads_heif()} {path.resolve()}")
    )
    passed: list[str] = []
    with being_read(path):
        files = files_in(path, lambda *each: passed.append(" ".join(each))) if path.is_dir() else []
        for name, file in files or [("", path)] * path.exists():
            state = file.stat()
            digest.update(os.fsencode(f"{name} {state.st_size} {state.st_mtime_ns}\n"))
    digest.update(os.fsencode("\n".join(sorted(passed))))
    return cache_dir() / "pictures" / f"{digest.hexdigest()[:32]}.safetensors"


def _write_cache(cached: Path, content: Content) -> None:
    """Keep `content`.

    Raises:
        DataError: the folder cannot be written.
    """
    pixels = content.pixels.numpy()
    texts = {**vars(content), "crc32": zlib.crc32(pixels.data)}
    del texts["pixels"]
    save_tensors(cached, {"pixels": pixels}, _CACHE, texts)


def _read_cache(cached: Path) -> Content | None:
    """What is cached, or None where that is nothing, damaged or of another make."""
    try:
        tensors, texts = load_tensors(cached, _CACHE, "pt")
        content = {**tensors, **(texts or {})}
        whole = zlib.crc32(content["pixels"].numpy().data) == content.pop("crc32")
        return Content(**content) if whole else None
    except Exception:  # any damage is a miss
        return None


def _split(content: Content, path: Path, validation_share: float, seed: int) -> ImageData:
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
    everything = ImageSet(content.pixels, labels, tuple(content.names))
    places = {p: torch.tensor([n for n, q in enumerate(parts) if q == p]) for p in set(parts)}
    for part, share, draw in (("test", _TEST_SHARE, 0), ("validation", validation_share, seed)):
        if part not in places:
            places["train"], places[part] = _stratified(labels, places["train"], share, draw)
    sets: dict[str, Any] = {p: everything.part(places[p]) for p in ("train", "validation", "test")}
    if not len(sets["validation"]):
        raise DataError(f"{path} has too few pictures to set some apart: give 3 or more a class")
    digest = hashlib.sha256()
    for part in ("validation", "test"):
        for name, label in zip(sets[part].names, sets[part].labels.tolist(), strict=True):
            digest.update(f"{part}\t{name}\t{label}\n".encode())
    data = ImageData(classes, **sets, split_hash=digest.hexdigest(), skipped=tuple(content.skipped))
    return replace(data, passed=tuple(content.passed), named=named)


def _apart(data: ImageData, path: Path) -> ImageData:
    """Without copies in other parts; what is tested on stays, and the split is known as before."""
    seen: set[bytes] = set()
    kept: dict[str, Any] = {}
    for name in ("test", "validation", "train"):
        part: ImageSet = getattr(data, name)
        prints = [hashlib.sha256(picture.numpy().data).digest() for picture in part.pixels]
        places = torch.tensor([n for n, print in enumerate(prints) if print not in seen])
        kept[name] = part if len(places) == len(part) else part.part(places.long())
        if len(kept[name].labels.unique()) < len(part.labels.unique()) or not len(kept[name]):
            raise DataError(f"{path}: all {name} pictures of a class also validate or test")
        seen.update(prints)
    left_out = sum(len(getattr(data, name)) - len(part) for name, part in kept.items())
    return replace(data, **kept, left_out=left_out)


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
