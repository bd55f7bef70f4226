"""Decoded pictures in a folder of the cache: written as they are decoded, gone on with after a
kill, never used where they are damaged.

In a folder of its own for each side lie `pixels`, one picture behind the other, `digests`, of each
16 bytes, and `journal`, a line for each lot that was written. `content`, beside these, has all
else; where it is, all pictures are there.

Shapes: M pictures that are kept, N of them that have a class, S side of the square pictures.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.core.errors import DataError, reason_of
from dlcc.core.files.paths import write_atomically
from dlcc.core.progress import Progress
from dlcc.core.vit.pictures import enlarged

DIGEST = 16  # bytes
_CONTENT = "content"
_PIXELS, _DIGESTS, _JOURNAL = "pixels", "digests", "journal"
_AT_ONCE = 256  # pictures that are compared with their digests


class UnwritableError(DataError):
    """The cache's folder cannot be written."""


@dataclass(frozen=True)
class Content:
    """All pictures of a source."""

    pixels: np.ndarray
    """[M, 3, S, S] uint8; a memory-mapped file where they are too many for the memory."""
    digests: np.ndarray
    """[M, 16] uint8."""
    rows: np.ndarray
    """[N] int64: which of them have a class, in the order of their names."""
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


def digest_of(picture: np.ndarray) -> bytes:
    """By which a picture [3, S, S] is known again."""
    return sha256(picture.data).digest()[:DIGEST]


def are_whole(pixels: np.ndarray, digests: np.ndarray) -> bool:
    """Whether pictures [n, 3, S, S] are those of `digests` [n, 16]."""
    return b"".join(map(digest_of, pixels)) == digests.tobytes()


def kept(folder: Path, of: str, most: int) -> Content | None:
    """What a folder keeps, or None where that is nothing, damaged or of other pictures.

    Args:
        folder: of a `Store` that was finished.
        of: what it was made of.
        most: bytes that may be read into memory, and are then compared with what was written; what
            is larger is mapped.
    """
    try:
        values = _unsealed((folder / _CONTENT).read_bytes())
        if values.pop("of") != of:
            return None
        side, rows = values.pop("side"), np.array(values.pop("rows"), np.int64)
        here = folder / str(side)
        digests = np.fromfile(here / _DIGESTS, np.uint8).reshape(-1, DIGEST)
        pixels: np.ndarray = np.memmap(here / _PIXELS, np.uint8, "r").reshape(-1, 3, side, side)
        if pixels.nbytes <= most:
            pixels = np.fromfile(here / _PIXELS, np.uint8).reshape(pixels.shape)
            if not are_whole(pixels, digests):
                return None
        whole = len(pixels) == len(digests) > rows.max() and len(rows) == len(values["names"])
        return Content(pixels, digests, rows, **values) if whole else None
    except Exception:  # any damage is a miss
        return None


class Store:
    """What is decoded, on its way into a folder; one process at a time.

    Args:
        folder: goes on where an earlier one was killed, as far as that is whole.
        of: says what the pictures are of: what is there of others is removed.
        size: the largest side of a picture.

    Raises:
        UnwritableError: the folder cannot be written.
    """

    def __init__(self, folder: Path, of: str, size: int, progress: Progress | None = None) -> None:
        self.folder, self.of, self.size = folder, of, size
        self.side = self.taken = 0
        """Of the pictures that are kept, and how many files of the source they are from."""
        self.names: list[str] = []
        self.damaged: dict[str, str] = {}
        """Messages by names."""
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _CONTENT).unlink(missing_ok=True)
            sides = [int(each.parent.name) for each in folder.glob(f"[0-9]*/{_JOURNAL}")]
            try:
                self._go_on(max(sides), progress)
            except Exception:  # nothing, or damage
                self._clear()

    def add(
        self,
        names: Sequence[str],
        pictures: Sequence[np.ndarray],
        digests: bytes,
        damaged: Mapping[str, str],
    ) -> None:
        """Keep pictures [3, s, s] uint8; all of them are enlarged to `size` once two have different
        sides.

        Args:
            names: of the pictures.
            pictures: as `square` makes them.
            digests: of the pictures, one behind the other.
            damaged: messages, by the names of files that are no pictures.

        Raises:
            UnwritableError: the disk is full, or as of the constructor.
        """
        with self._writing():
            sides = {picture.shape[-1] for picture in pictures}
            if sides and self.side not in (0, self.size) and sides != {self.side}:
                self._enlarge()
            if sides and not self.side:
                self.side = sides.pop() if len(sides) == 1 else self.size
            if sides and sides != {self.side}:
                pictures = [enlarged(picture, self.side) for picture in pictures]
                digests = b"".join(map(digest_of, pictures))
            self.names += names
            self.taken += len(names) + len(damaged)
            self.damaged.update(damaged)
            if self.side:
                _append(self._here / _PIXELS, b"".join(picture.data for picture in pictures))
                _append(self._here / _DIGESTS, digests)
                self._note(names, damaged if len(names) < len(self.names) else self.damaged)

    def finish(self, rows: Sequence[int], values: Mapping[str, Any]) -> None:
        """Say that all is there.

        Args:
            rows: which pictures have a class, in the order that they are to have.
            values: the other fields of `Content`.

        Raises:
            UnwritableError: as of `add`.
        """
        data = _sealed({"of": self.of, "side": self.side, "rows": [*rows], **values})
        with self._writing():
            for name in (_PIXELS, _DIGESTS):
                with (self._here / name).open("r+b") as written:
                    os.fsync(written.fileno())
            write_atomically(self.folder / _CONTENT, lambda file: file.write_bytes(data))

    @property
    def _here(self) -> Path:
        return self.folder / str(self.side)

    def _note(self, names: Sequence[str], damaged: Mapping[str, str]) -> None:
        line = _sealed({"of": self.of, "names": names, "damaged": damaged})
        _append(self._here / _JOURNAL, line)

    def _go_on(self, side: int, progress: Progress | None) -> None:
        """Take over the lots that are whole, and cut off what is behind them."""
        here, end = self.folder / str(side), 0
        pixels: np.ndarray = np.memmap(here / _PIXELS, np.uint8, "r")
        size = 3 * side * side
        pixels = pixels[: len(pixels) // size * size].reshape(-1, 3, side, side)
        digests = np.fromfile(here / _DIGESTS, np.uint8)
        digests = digests[: len(digests) // DIGEST * DIGEST].reshape(-1, DIGEST)
        for line in (here / _JOURNAL).read_bytes().splitlines(keepends=True):
            try:
                lot = _unsealed(line)
            except ValueError:
                break
            rows = slice(len(self.names), len(self.names) + len(lot["names"]))
            there = rows.stop <= min(len(pixels), len(digests))
            if lot["of"] != self.of or not there or not are_whole(pixels[rows], digests[rows]):
                break
            self.names += lot["names"]
            self.damaged.update(lot["damaged"])
            self.taken += len(lot["names"]) + len(lot["damaged"])
            end += len(line)
            if progress:
                progress(len(self.names), None)
        del pixels
        self.side = side
        for name, length in (
            (_JOURNAL, end),
            (_PIXELS, len(self.names) * size),
            (_DIGESTS, len(self.names) * DIGEST),
        ):
            os.truncate(here / name, length)
        if not end:
            self._clear()

    def _enlarge(self) -> None:
        """All that is kept, once more at the largest side."""
        pixels = np.memmap(self._here / _PIXELS, np.uint8, "r").reshape(-1, 3, self.side, self.side)
        before, self.side = self._here, self.size
        shutil.rmtree(self._here, ignore_errors=True)
        for start in range(0, len(pixels), _AT_ONCE):
            large = [enlarged(each, self.size) for each in pixels[start : start + _AT_ONCE]]
            _append(self._here / _PIXELS, b"".join(each.data for each in large))
            _append(self._here / _DIGESTS, b"".join(map(digest_of, large)))
        self._note(self.names, self.damaged)  # the last: without it they count for nothing
        shutil.rmtree(before, ignore_errors=True)

    def _clear(self) -> None:
        self.side = self.taken = 0
        self.names, self.damaged = [], {}
        for each in self.folder.iterdir():
            shutil.rmtree(each, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnwritableError(f"cannot write {self.folder}: {reason_of(error)}") from error
        except DataError as error:
            raise UnwritableError(str(error)) from error


def forget(folder: Path) -> None:
    """Have what is kept looked over before it is used again."""
    with suppress(OSError):
        (folder / _CONTENT).unlink()


def _sealed(values: Mapping[str, Any]) -> bytes:
    """JSON values as a line, behind a hash of it."""
    line = json.dumps(values).encode() + b"\n"
    return sha256(line).hexdigest()[: 2 * DIGEST].encode() + line


def _unsealed(data: bytes) -> dict[str, Any]:
    """The values of a line; ValueError where it is damaged."""
    line = data[2 * DIGEST :]
    if not data.startswith(sha256(line).hexdigest()[: 2 * DIGEST].encode()):
        raise ValueError("another hash")
    values: dict[str, Any] = json.loads(line)
    return values


def _append(file: Path, data: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("ab") as stream:
        stream.write(data)
