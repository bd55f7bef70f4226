"""Labelled pictures in their parts: in memory, or in a file of which some are read when they are
asked for.

Shapes: N pictures, M in the file, S side of the square pictures.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.vit.store import are_whole, forget

_AT_ONCE = 256  # pictures


class MappedPictures:
    """Pictures [N, 3, S, S] uint8 in a file; what is indexed is read into a tensor.

    Args:
        file: [M, 3, S, S] uint8, all of them, in a folder of a folder that is kept.
        digests: [M, 16] uint8, which are compared when a picture is read first.
        rows: [N] int64, which of them these are.
        checked: [M] bool, which were compared before.
    """

    def __init__(
        self,
        file: np.memmap,
        digests: np.ndarray,
        rows: Tensor,
        checked: np.ndarray | None = None,
    ) -> None:
        self._file, self._digests, self.rows = file, digests, rows
        self._checked = np.zeros(len(file), bool) if checked is None else checked
        self.shape = torch.Size((len(rows), *file.shape[1:]))

    @property
    def folder(self) -> Path:
        """What to remove to be rid of them."""
        return Path(str(self._file.filename)).parent.parent

    @property
    def nbytes(self) -> int:
        """Of the file."""
        return self._file.nbytes

    device = torch.device("cpu")
    """Where what is indexed is read to."""

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, places: Tensor) -> "MappedPictures":
        """Those at `places` [n] int64, not read yet."""
        return self.over(self.rows[places])

    def over(self, rows: Tensor) -> "MappedPictures":
        """Those at `rows` [n] int64 of the file, not read yet."""
        return MappedPictures(self._file, self._digests, rows, self._checked)

    def __getitem__(self, which: int | slice | Tensor) -> Tensor:
        """The picture at a place [3, S, S], or those at several [n, 3, S, S].

        Raises:
            DataError: they are no longer what was written.
        """
        chosen = self.rows[which]
        rows = chosen.reshape(-1).numpy()
        order = rows.argsort()  # a disk is read in one direction
        pixels = np.empty((len(rows), *self._file.shape[1:]), np.uint8)
        pixels[order] = self._file[rows[order]]
        new = np.flatnonzero(~self._checked[rows])
        if not are_whole(pixels[new], self._digests[rows[new]]):
            forget(self.folder)
            raise DataError(
                f"the pictures kept in {self.folder} are damaged: start again, and those are "
                "decoded anew"
            )
        self._checked[rows] = True
        return torch.from_numpy(pixels).reshape(*chosen.shape, *self._file.shape[1:])

    def split(self, size: int) -> Iterator[Tensor]:
        """All of them, `size` at a time."""
        return (self[start : start + size] for start in range(0, len(self), size))


Pixels = Tensor | MappedPictures


def _joined(parts: Sequence[Pixels]) -> Pixels:
    if isinstance(parts[0], Tensor):
        return torch.cat([cast(Tensor, part) for part in parts])
    rows = torch.cat([part.rows for part in cast(Sequence[MappedPictures], parts)])
    return parts[0].over(rows)


@dataclass(frozen=True)
class ImageSet:
    """Pictures with their classes."""

    pixels: Pixels
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
        pixels = self.pixels
        chosen = pixels.part(places) if isinstance(pixels, MappedPictures) else pixels[places]
        return ImageSet(chosen, self.labels[places], names)

    def bytes_of_pixels(self) -> tuple[int, Iterator[memoryview]]:
        """How many there are, and all of them, some at a time."""
        lots = (lot.numpy().data for lot in self.pixels.split(_AT_ONCE))
        return math.prod(self.pixels.shape), lots


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
            _joined([part.pixels for part in parts]),
            torch.cat([part.labels for part in parts]),
            sum((part.names for part in parts), ()),
        )
