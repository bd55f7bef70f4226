"""Decoded pictures on disk, so that a second run starts at once."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dlcc.core.files.paths import cache_dir, write_atomically

_VERSION = 1


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
        "crc32": zlib.crc32(content.pixels.numpy().tobytes()),
    }
    metadata = {"pictures": json.dumps(texts)}
    write_atomically(
        cached, lambda temporary: save_file({"pixels": content.pixels}, temporary, metadata)
    )


def read_cache(cached: Path) -> Content | None:
    """What is cached, or None where that is nothing or is damaged."""
    try:
        with safe_open(cached, framework="pt") as file:
            texts = json.loads(file.metadata()["pictures"])
            pixels = file.get_tensor("pixels")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    if zlib.crc32(pixels.numpy().tobytes()) != texts.pop("crc32"):
        return None
    return Content(pixels, **texts)
