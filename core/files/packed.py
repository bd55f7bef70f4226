"""A stream of a file's own bytes, out of what packs it: gzip, bzip2, xz, or a zip of one file."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read

Opened = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens a stream from its beginning."""

_PACKED = (".gz", ".bz2", ".xz", ".zip")
_MAGIC: dict[bytes, Any] = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ": lzma}
_MAX_RATIO, _SLACK = 200, 2**26  # as of archives: what unpacks to more is a bomb


class Joined(io.RawIOBase):
    """A stream whose first bytes were read already; iterated, it gives lines."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def read(self, size: int = -1) -> bytes:
        data = self._head.read(size)
        if size is None or size < 0 or len(data) < size:
            data += self._rest.read(size if size is None or size < 0 else size - len(data))
        return data

    def __iter__(self) -> Iterator[bytes]:
        line = b""
        for line in self._head:
            if line.endswith(b"\n"):
                yield line
        if not line.endswith(b"\n"):
            yield line + self._rest.readline()
        yield from self._rest


class _Bounded(io.RawIOBase):
    """What is unpacked, as far as it is honest."""

    def __init__(self, stream: IO[bytes], most: int, name: str) -> None:
        self._stream, self._left, self._name = stream, most, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._name}: unpacked, it is far too large: not read")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """A stream of a table's own bytes, out of what packs it."""
    if path.is_dir():
        raise DataError(f"{name} is a folder, no table")
    most = _MAX_RATIO * path.stat().st_size + _SLACK
    with ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
        start = raw.read(8)
        raw.seek(0)
        if start.startswith(b"PK"):
            inner = only_file_in_zip(path)
            if inner is None:
                raise DataError(f"{name} is a zip of no or several files: unpack the one to read")
            packed = stack.enter_context(zipfile.ZipFile(raw)).open(inner)
        else:
            packer = next((each for magic, each in _MAGIC.items() if start.startswith(magic)), None)
            if packer is None:
                yield raw
                return
            packed = packer.open(raw)
        bounded = _Bounded(stack.enter_context(packed), most, name)
        yield cast("IO[bytes]", stack.enter_context(io.BufferedReader(bounded)))


def own_ending(path: Path) -> str:
    """The ending of a table's name, or of its name within a zip."""
    inner = only_file_in_zip(path) if zipfile.is_zipfile(path) else None
    return ending_of(inner or path.name)


def only_file_in_zip(path: Path) -> str | None:
    """The one visible file in a zip, if it holds no other."""
    with (
        being_read(path, "is damaged or no archive ({}): fetch it again"),
        zipfile.ZipFile(path) as archive,
    ):
        names = archive.namelist()
    if "xl/workbook.xml" in names:
        raise DataError(f"{path} is an Excel workbook: save it as CSV")
    visible = [
        name
        for name in names
        if not name.endswith("/")
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    ]
    return visible[0] if len(visible) == 1 else None


def ending_of(name: str) -> str:
    """The ending of a name, without that of what packed it."""
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _PACKED else path.suffix
