"""CIFAR-10 in its official archives, binary or Python (Krizhevsky 2009).

The Python archive's files are pickles. They are read as lists of instructions, which are never
carried out, so nothing in them can run.
"""

import pickletools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlcc.core.errors import DataError

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
_BATCH = re.compile(r"(?:.*/)?((?:data_batch_[1-5]|test_batch)(?:\.bin)?)")
_PICTURE = 3 * 32 * 32


def is_batch(name: str) -> bool:
    """Whether a file of this name is a part of CIFAR-10."""
    return _BATCH.fullmatch(name) is not None


def read_batches(
    files: Mapping[str, bytes], path: Path
) -> dict[str, tuple[np.ndarray, np.ndarray, list[str]]]:
    """Pixels, labels and names of the train and test parts.

    Args:
        files: content by name, each of a name that `is_batch`.
        path: what messages call them.

    Returns:
        For `train` and `test`: pixels [N, 3, 32, 32] uint8, labels [N] int64, names.

    Raises:
        DataError: a part is missing or not in this format.
    """
    found: dict[str, list[tuple[np.ndarray, np.ndarray, list[str]]]] = {"train": [], "test": []}
    for name in sorted(files):
        match = _BATCH.fullmatch(name)
        short = match[1] if match else name
        pixels, labels = _read_batch(files[name], short, path)
        part = "test" if short.startswith("test") else "train"
        found[part].append((pixels, labels, [f"{short}:{n}" for n in range(len(labels))]))
    for part, batches in found.items():
        if not batches:
            raise DataError(f"{path} has no {part} part of CIFAR-10: fetch it again")
    return {
        part: (
            np.concatenate([pixels for pixels, _, _ in batches]),
            np.concatenate([labels for _, labels, _ in batches]),
            [name for _, _, names in batches for name in names],
        )
        for part, batches in found.items()
    }


def _read_batch(data: bytes, name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    if name.endswith(".bin"):
        if not data or len(data) % (1 + _PICTURE):
            raise DataError(f"{path}: {name} is damaged: {len(data)} bytes")
        rows = np.frombuffer(data, np.uint8).reshape(-1, 1 + _PICTURE)
        pixels, labels = rows[:, 1:], rows[:, 0].astype(np.int64)
    else:
        raw, numbers = _read_pickle(data, name, path)
        if not numbers or len(raw) != len(numbers) * _PICTURE:
            raise DataError(
                f"{path}: {name} is damaged: {len(numbers)} labels for {len(raw)} bytes"
            )
        pixels, labels = np.frombuffer(raw, np.uint8), np.array(numbers, np.int64)
    if labels.max() >= len(CLASSES):
        raise DataError(f"{path}: {name} is not CIFAR-10: a label of {labels.max()}")
    return pixels.reshape(-1, 3, 32, 32), labels


def _read_pickle(data: bytes, name: str, path: Path) -> tuple[bytes, list[int]]:
    """The longest string, which is the pixels, and the numbers that follow the word "labels"."""
    pixels, labels, in_labels = b"", [], False
    try:
        for operation, value, _ in pickletools.genops(data):
            if isinstance(value, (str, bytes)):
                text = value.encode("latin1") if isinstance(value, str) else value
                in_labels = text == b"labels"
                pixels = max(pixels, text, key=len)
            elif in_labels and operation.name == "BININT1":
                labels.append(int(value or 0))
    except ValueError as error:
        raise DataError(f"{path}: {name} is damaged ({error})") from error
    return pixels, labels
