"""The files in a folder, a zip or a tar archive, one after another; nothing is unpacked to disk."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read

_MAX_FILE = 2**28  # 256 MiB: far above any picture or text
_MAX_RATIO = 200  # pictures hardly shrink, texts to a tenth; beyond it an archive is a bomb
_SLACK = 2**26
_MAX_HEADER = 2**20  # what a tar archive says of one file: its name, its owner
_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip,
    b"BZh": bz2,
    b"\xfd7zXZ": lzma,
    b"\x5d\x00\x00": lzma,
}


def each_file(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Names, with / between folders, and contents of the files that are `wanted`.

    Hidden files are left out. A folder is read in the order of its names, an archive in its own.

    Raises:
        DataError: nothing there, damaged, a path outside the archive's folder, or far more unpacked
            than packed.
    """
    if not path.exists():
        raise DataError(f"no data in {path}: no such file or folder")
    with being_read(path, "is damaged or no archive ({}): fetch it again"):
        if path.is_dir():
            yield from _in_folder(path, wanted)
        elif zipfile.is_zipfile(path):
            yield from _in_zip(path, wanted)
        else:
            yield from _in_tar(path, wanted)


def _in_folder(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if _is_visible(name) and wanted(name) and file.is_file():
            yield name, file.read_bytes()


def _in_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    limit = _Limit(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            limit.check(member.filename, member.file_size)
            if not member.is_dir() and _is_visible(member.filename) and wanted(member.filename):
                yield member.filename, archive.read(member)


def _in_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    limit = _Limit(path)
    with path.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        packer = next((p for magic, p in _PACKERS.items() if start.startswith(magic)), None)
        unpacked = _Unpacked(packer.open(raw) if packer else raw, path, limit.left)
        with tarfile.open(fileobj=cast("IO[bytes]", unpacked), mode="r:") as archive:
            while member := archive.next():
                limit.check(member.name, member.size)
                content = archive.extractfile(member) if member.isreg() else None
                if content and _is_visible(member.name) and wanted(member.name):
                    unpacked.most = _MAX_FILE
                    yield member.name, content.read()
                    unpacked.most = _MAX_HEADER
                cast(Any, archive).members.clear()  # or it keeps them all


class _Unpacked:
    """What comes out of a packed file, as far as is honest: tarfile takes a header's word for its
    size, and passes over files by reading them."""

    def __init__(self, file: IO[bytes], path: Path, left: int) -> None:
        self.file, self.path, self.left = file, path, left
        self.most = _MAX_HEADER

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int) -> bytes:
        if size > self.most:
            raise DataError(f"{self.path}: a header of {size} bytes is far too large: not read")
        try:
            data = self.file.read(size)
        except OSError as error:
            if error.errno is None:  # gzip and bz2 call damage so
                raise tarfile.ReadError(str(error)) from error
            raise
        self.left -= len(data)
        if self.left < 0:
            raise DataError(f"{self.path}: unpacked, it is far too large: not read")
        return data

    def seek(self, to: int) -> None:
        while (ahead := to - self.file.tell()) > 0:
            if not self.read(min(ahead, _MAX_HEADER)):
                return
        if ahead < 0:
            self.file.seek(to)


class _Limit:
    """Refuses what no honest archive holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = _MAX_RATIO * path.stat().st_size + _SLACK

    def check(self, name: str, size: int) -> None:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise DataError(f"{self.path} holds {name!r}, a path outside its folder: not read")
        self.left -= size
        if size > _MAX_FILE or self.left < 0:
            raise DataError(f"{self.path}: unpacked, {name} is far too large: not read")


def _is_visible(name: str) -> bool:
    return not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
