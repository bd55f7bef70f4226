"""Decoded pictures on disk, so that a second run starts at once."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.files.paths import cache_dir
from dlcc.core.files.tensors import load_tensors, save_tensors

_VERSION = 1
_NAME = "pictures"  # in a file: what is no picture


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


def cache_file(path: Path, size: int) -> Path:
    """Where pictures are cached, by where they are, when they changed and how they are decoded."""
    digest = hashlib.sha256(f"{_VERSION} {size} {path.resolve()}".encode())
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    for file in filter(Path.is_file, files):
        state = file.stat()
        digest.update(f"{file} {state.st_size} {state.st_mtime_ns}\n".encode())
    return cache_dir() / "pictures" / f"{digest.hexdigest()[:32]}.safetensors"


def write_cache(cached: Path, content: Content) -> None:
    """Keep `content`.

    Raises:
        DataError: the folder cannot be written.
    """
    texts = {
        "names": content.names,
        "classes": content.classes,
        "parts": content.parts,
        "skipped": content.skipped,
        "crc32": zlib.crc32(content.pixels.numpy().data),
    }
    save_tensors(cached, {"pixels": content.pixels.numpy()}, _NAME, texts)


def read_cache(cached: Path) -> Content | None:
    """What is cached, or None where that is nothing, damaged or of another make."""
    try:
        tensors, texts = load_tensors(cached, _NAME, "pt")
        content = {**tensors, **(texts or {})}
        whole = zlib.crc32(content["pixels"].numpy().data) == content.pop("crc32")
        return Content(**content) if whole else None
    except (DataError, KeyError, TypeError):
        return None
