"""CIFAR-10 and CIFAR-100 in their official archives, binary or Python (Krizhevsky 2009).

The Python archive's files are pickles. They are read by an unpickler that makes lists, texts and
numbers alone and refuses every other name, so nothing in them can run.
"""

import io
import operator
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.errors import DataError

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
_BATCH = re.compile(r"(?:.*/)?((?:data_batch_[1-5]|test_batch)(?:\.bin)?)")
_HUNDRED = re.compile(
    r"(?:.*/)?cifar-100-(?:python/(train|test|meta)|binary/(train.bin|test.bin|fine_label_names.txt))"
)
_PICTURE = 3 * 32 * 32
_FINE, _NAMES = 100, "fine_label_names"
_RECONSTRUCT = tuple(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core"))


def is_batch(name: str) -> bool:
    """Whether a file of this name is a part of CIFAR-10 or CIFAR-100."""
    return _BATCH.fullmatch(name) is not None or _HUNDRED.fullmatch(name) is not None


Part = tuple[np.ndarray, np.ndarray, list[str]]
"""Pixels [N, 3, 32, 32] uint8, labels [N] int64 and names of N pictures."""


def read_parts(files: Mapping[str, bytes], path: Path) -> tuple[dict[str, Part], tuple[str, ...]]:
    """The train and test parts, and the names of the classes.

    Args:
        files: content by name below `path`, each of a name that `is_batch`.
        path: what messages call them.

    Raises:
        DataError: a part is missing or not in this format.
    """
    if any(_HUNDRED.fullmatch(f"{path.name}/{name}") for name in files):
        return _read_hundred(files, path)
    return _read_ten(files, path), CLASSES


def _read_hundred(
    files: Mapping[str, bytes], path: Path
) -> tuple[dict[str, Part], tuple[str, ...]]:
    """CIFAR-100; its classes are numbers where no file names them."""
    short = {name.rpartition("/")[2]: data for name, data in files.items()}
    found: dict[str, Part] = {}
    for part in ("train", "test"):
        if f"{part}.bin" in short:
            pixels, labels = _read_rows(short[f"{part}.bin"], f"{part}.bin", path, 2)
        elif part in short:
            pixels, labels = _read_pickle(short[part], part, path, "fine_labels")
        else:
            raise DataError(f"{path} has no {part} part of CIFAR-100: fetch it again")
        if labels.min() < 0 or labels.max() >= _FINE:
            raise DataError(f"{path}: {part} is not CIFAR-100: a label of {labels.max()}")
        names = [f"{part}:{n}" for n in range(len(labels))]
        found[part] = (pixels.reshape(-1, 3, 32, 32), labels, names)
    if "fine_label_names.txt" in short:
        return found, tuple(short["fine_label_names.txt"].decode("utf-8", "replace").split())
    if "meta" not in short:
        return found, tuple(f"{n:02}" for n in range(_FINE))
    try:
        meta = _Inert(io.BytesIO(short["meta"]), encoding="bytes").load()
        names = [str(_text(name)) for name in {_text(k): v for k, v in meta.items()}[_NAMES]]
    except Exception as error:
        raise DataError(f"{path}: meta is damaged ({' '.join(str(error).split())})") from error
    return found, tuple(names)


def _text(value: Any) -> str:
    return value if type(value) is str else value.decode()


def _read_ten(files: Mapping[str, bytes], path: Path) -> dict[str, Part]:
    found: dict[str, list[Part]] = {"train": [], "test": []}
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
        pixels, labels = _read_rows(data, name, path)
    else:
        pixels, labels = _read_pickle(data, name, path)
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{path}: {name} is not CIFAR-10: a label of {wrong}")
    return pixels.reshape(-1, 3, 32, 32), labels


def _read_rows(
    data: bytes, name: str, path: Path, labels: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and the last of a picture's labels, which stand before it."""
    if not data or len(data) % (labels + _PICTURE):
        raise DataError(f"{path}: {name} is damaged: {len(data)} bytes")
    rows = np.frombuffer(data, np.uint8).reshape(-1, labels + _PICTURE)
    return rows[:, labels:], rows[:, labels - 1].astype(np.int64)


def _read_pickle(
    data: bytes, name: str, path: Path, labelled: str = "labels"
) -> tuple[np.ndarray, np.ndarray]:
    try:
        found = _Inert(io.BytesIO(data), encoding="bytes").load()
        parts = {_text(key): part for key, part in found.items()}
        numbers, raw = parts[labelled], getattr(parts["data"], "raw", parts["data"])
        pixels = np.frombuffer(raw.encode("latin1") if type(raw) is str else raw, np.uint8)
        labels = np.array([operator.index(number) for number in numbers], np.int64)
    except Exception as error:  # a damaged pickle raises whatever it likes
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: {name} is damaged ({reason})") from error
    if not len(labels) or len(pixels) != len(labels) * _PICTURE:
        raise DataError(f"{path}: {name} is damaged: {len(labels)} labels for {len(pixels)} bytes")
    return pixels, labels


class _Array:
    """What a pickle says of one of numpy's arrays: of that, the bytes."""

    raw: Any = b""

    def __setstate__(self, state: Any) -> None:
        self.raw = state[-1]


class _Inert(pickle.Unpickler):
    """Makes texts, numbers, lists and `_Array`s, whatever a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in ("numpy.dtype", *_RECONSTRUCT):
            return lambda *_: _Array()
        if f"{module}.{name}" == "numpy.ndarray":  # which kind of array to make
            return name
        if f"{module}.{name}" == "_codecs.encode":  # Python 3's bytes, for Python 2
            return lambda text, _: text
        raise pickle.UnpicklingError(f"it names {module!r:.50}, {name!r:.50}")
