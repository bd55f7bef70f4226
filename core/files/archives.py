"""The files in a folder, a zip or a tar archive, one after another; nothing is unpacked to disk."""

import bz2
import gzip
import io
import lzma
import os
import re
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
_BARE = (".bmp", ".ppm", ".pgm", ".tif", ".tiff")
_BARE_RATIO = 16  # drawings of one colour shrink to a thousandth
_MOST_NESTED = 2  # archives in archives
_DEFLATE64, _SAYS_UTF8 = 9, 0x800
_JUNK = ("thumbs.db", "desktop.ini", "icon\r")
_MAX_HEADER = 2**20  # what a tar archive says of one file: its name, its owner
_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip,
    b"BZh": bz2,
    b"\xfd7zXZ": lzma,
    b"\x5d\x00\x00": lzma,
}


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, by its first bytes and its name."""
    if not path.is_file():
        return False
    return zipfile.is_zipfile(path) or bool(re.search(r"\.(tar(\.\w+)?|tgz)$", path.name.lower()))


def names_in(path: Path) -> list[str]:
    """Names of the visible files in a folder or an archive.

    Raises:
        DataError: as of `each_file`.
    """
    names: list[str] = []

    def note(name: str) -> bool:
        names.append(name)
        return False

    for _ in each_file(path, note):
        pass
    return names


Passed = Callable[[str, str], None]
"""Told the name of a file that is not read, and why; of an empty folder its name and a /."""


def _unheard(name: str, why: str) -> None:
    """For whom nobody listens."""


def each_file(
    path: Path, wanted: Callable[[str], bool], passed: Passed = _unheard
) -> Iterator[tuple[str, bytes]]:
    """Names, with / between folders, and contents of the files that are `wanted`.

    Hidden files and what systems leave behind are left out. A folder is read in the order of its
    names, links followed, an archive in its own, archives in it too.

    Raises:
        DataError: nothing there, damaged, encrypted, a path outside the archive's folder, or far
            more unpacked than packed.
    """
    if not path.exists():
        raise DataError(f"no data in {path}: no such file or folder")
    with being_read(path, "is damaged or no archive ({}): fetch it again"):
        if path.is_dir():
            yield from _in_folder(path, wanted, passed)
        elif zipfile.is_zipfile(path):
            yield from _in_zip(path, path, _Limit(path), wanted, passed)
        else:
            yield from _in_tar(path, wanted, passed)


def _in_folder(
    path: Path, wanted: Callable[[str], bool], passed: Passed
) -> Iterator[tuple[str, bytes]]:
    files = []
    seen = {os.path.realpath(path)}
    for folder, below, names in os.walk(path, followlinks=True):
        for name in list(below):
            real = os.path.realpath(os.path.join(folder, name))
            if real in seen:  # a link to a folder that is read already, or around
                below.remove(name)
                passed(_as_name(Path(folder, name), path), "linked twice")
            seen.add(real)
        files += [Path(folder, name) for name in names]
        if not below and not names:
            passed(_as_name(Path(folder), path) + "/", "empty folders")
    for file in sorted(files):
        name = _as_name(file, path)
        if _is_read(name, wanted, passed):
            if file.is_file():
                yield name, file.read_bytes()
            else:
                passed(name, "links to nothing")


def _as_name(file: Path, root: Path) -> str:
    """A file's name below its root; in an old encoding where it is no UTF-8."""
    name = file.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("cp1252", "replace")
    return name


def _in_zip(
    source: Path | IO[bytes],
    path: Path,
    limit: "_Limit",
    wanted: Callable[[str], bool],
    passed: Passed,
    depth: int = 0,
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            name = _zip_name(member)
            limit.check(name, member.file_size)
            if member.is_dir() or name.endswith("/"):
                continue
            if depth < _MOST_NESTED and _is_visible(name) and name.lower().endswith(".zip"):
                inner = io.BytesIO(_member(archive, member, path))
                folder = PurePosixPath(name).with_suffix("")
                for below, data in _in_zip(inner, path, limit, wanted, passed, depth + 1):
                    yield (folder / below).as_posix(), data
            elif _is_read(name, wanted, passed):
                yield name, _member(archive, member, path)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    if member.flag_bits & 1:
        raise DataError(f"{path} is encrypted: unpack it with its password, and give the folder")
    if member.compress_type == _DEFLATE64:
        raise DataError(
            f"{path} is packed by Deflate64, which is not read: unpack it, or pack anew"
        )
    return archive.read(member)


def _zip_name(member: zipfile.ZipInfo) -> str:
    """A member's name: of Windows with \\ between folders, of some tools UTF-8 that is not said."""
    name = member.filename.replace("\\", "/")
    if member.flag_bits & _SAYS_UTF8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _is_read(name: str, wanted: Callable[[str], bool], passed: Passed) -> bool:
    if not _is_visible(name):
        passed(name, "hidden")
    elif name.rpartition("/")[2].lower() in _JUNK:
        passed(name, "left behind by a system")
    elif not wanted(name):
        passed(name, f"with the ending {PurePosixPath(name).suffix.lower() or '(none)'}")
    else:
        return True
    return False


def _in_tar(
    path: Path, wanted: Callable[[str], bool], passed: Passed
) -> Iterator[tuple[str, bytes]]:
    limit = _Limit(path)
    with path.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        packer = next((p for magic, p in _PACKERS.items() if start.startswith(magic)), None)
        unpacked = _Unpacked(packer.open(raw) if packer else raw, path, limit.left)
        with tarfile.open(fileobj=cast("IO[bytes]", unpacked), mode="r:") as archive:
            while member := archive.next():
                limit.check(member.name, member.size)
                if member.isdir() or not _is_read(member.name, wanted, passed):
                    pass
                elif member.isreg() and (content := archive.extractfile(member)):
                    unpacked.most = _MAX_FILE
                    yield member.name, content.read()
                    unpacked.most = _MAX_HEADER
                else:
                    passed(member.name, "links in the archive")
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
        self.left -= size // _BARE_RATIO if name.lower().endswith(_BARE) else size
        if size > _MAX_FILE or self.left < 0:
            raise DataError(f"{self.path}: unpacked, {name} is far too large: not read")


def _is_visible(name: str) -> bool:
    name = name.removeprefix("./")
    return not name.startswith((".", "__MACOSX")) and "/." not in name and "/__MACOSX" not in name
