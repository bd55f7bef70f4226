"""Rows of token numbers, one behind the other: in memory, or in a file where they are many."""

from array import array
from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import IO, Any, overload

import numpy as np

from dlcc.core.errors import DataError, reason_of
from dlcc.core.files.memory import room_in_memory
from dlcc.core.files.paths import cache_dir

_AT_ONCE = 2**22  # numbers that are written at a time


class Rows(Sequence[list[int]]):
    """Rows of whole numbers of any lengths. Those that take more than their share of the memory lie
    in a file in the cache's folder, which is gone when the process is.

    Args:
        rows: are taken one after another.

    Raises:
        DataError: that file cannot be written.
    """

    def __init__(self, rows: Iterable[Sequence[int]]) -> None:
        numbers, self.lengths = array("i"), array("i")
        """In numbers."""
        file: IO[bytes] | None = None
        most = room_in_memory() // numbers.itemsize
        for row in rows:
            numbers.extend(row)
            self.lengths.append(len(row))
            if len(numbers) > most:
                file, most = _spilled(numbers, file), _AT_ONCE
        if file is None:
            self.numbers: np.ndarray = np.frombuffer(numbers, np.int32)
        else:
            with _spilled(numbers, file) as whole:
                self.numbers = np.memmap(whole, np.int32, "c")
        self._ends = np.cumsum(self.lengths, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, place: int) -> list[int]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[int]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        end = self._ends[place]
        return self.numbers[end - self.lengths[place] : end].tolist()


def _spilled(numbers: "array[int]", file: IO[bytes] | None) -> IO[bytes]:
    """The file with `numbers` behind what it has; they are taken out of the memory."""
    folder = cache_dir()
    try:
        if file is None:
            folder.mkdir(parents=True, exist_ok=True)
            file = TemporaryFile(dir=folder)  # noqa: SIM115 (closed when all is there)
        file.write(numbers)
        file.flush()
    except OSError as error:
        raise DataError(f"cannot write {folder}: {reason_of(error)}") from error
    del numbers[:]
    return file
