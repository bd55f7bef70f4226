"""The files in a folder, a zip or a tar archive, one after another; nothing is unpacked to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from dlcc.core.errors import DataError

_MAX_FILE = 2**28  # 256 MiB: far above any picture or text
_MAX_RATIO = 200  # pictures hardly shrink, texts to a tenth; beyond it an archive is a bomb
_SLACK = 2**26

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def each_file(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Names, with / between folders, and contents of the files that are `wanted`.

    Hidden files are left out. A folder is read in the order of its names, an archive in its own.

    Raises:
        DataError: nothing there, damaged, a path outside the archive's folder, or far more unpacked
            than packed.
    """
    if not path.exists():
        raise DataError(f"no data in {path}: no such file or folder")
    try:
        if path.is_dir():
            yield from _in_folder(path, wanted)
        elif zipfile.is_zipfile(path):
            yield from _in_zip(path, wanted)
        else:
            yield from _in_tar(path, wanted)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        reason = str(error).split("\n")[0].rstrip(":")  # tarfile adds a line for each format tried
        raise DataError(f"{path} is damaged or no archive ({reason}): fetch it again") from error


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
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            limit.check(member.name, member.size)
            content = archive.extractfile(member) if member.isreg() else None
            if content and _is_visible(member.name) and wanted(member.name):
                yield member.name, content.read()


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
