"""The files in a folder, a zip or a tar archive, one after another; nothing is unpacked to disk.

Links are followed, in an archive those that stay in it.
"""

import bz2
import gzip
import io
import lzma
import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from dlcc.core.errors import DataError
from dlcc.core.files import honest
from dlcc.core.files.honest import Limit, Unpacked, cost
from dlcc.core.files.paths import being_read
from dlcc.core.files.walk import Passed, paths_in, readable, unheard, unseen

_MOST_NESTED = 2  # archives in archives
_DEFLATE64, _SAYS_UTF8 = 9, 0x800
_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip,
    b"BZh": bz2,
    b"\xfd7zXZ": lzma,
    b"\x5d\x00\x00": lzma,
}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MAX_LINK = 2**12
_LINK_COST = 2**9  # what a linked file counts at least

Wanted = Callable[[str], bool]
Files = Iterator[tuple[str, bytes]]
Read = Callable[[], bytes]


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


def each_file(path: Path, wanted: Wanted, passed: Passed = unheard) -> Files:
    """Names, with / between folders, and contents of the files that are `wanted`.

    Hidden files and what systems leave behind are left out. A folder is read in the order of its
    names, an archive in its own, links last. Archives in it are read too; those in a folder where
    it has nothing else that is wanted.

    Raises:
        DataError: nothing there, damaged, encrypted, a path outside the archive's folder, or far
            more unpacked than packed.
    """
    for name, read in each_unread(path, wanted, passed):
        with being_read(path, "is damaged or no archive ({}): fetch it again"):
            data = read()
        yield name, data


def each_unread(path: Path, wanted: Wanted, passed: Passed = unheard) -> Iterator[tuple[str, Read]]:
    """As `each_file`, with what reads a file in place of its content; another process may.

    Raises:
        DataError: as of `each_file`, but for a folder's files that cannot be read.
    """
    if not path.exists():
        raise DataError(f"no data in {path}: no such file or folder")
    with being_read(path, "is damaged or no archive ({}): fetch it again"):
        if path.is_dir():
            yield from _in_folder(path, wanted, passed)
        else:
            yield from ((name, partial(bytes, d)) for name, d in _in_file(path, wanted, passed))


def _in_file(path: Path, wanted: Wanted, passed: Passed) -> Files:
    with path.open("rb") as file:
        yield from _in_archive(file, Limit(path), wanted, passed)


def _in_folder(path: Path, wanted: Wanted, passed: Passed) -> Iterator[tuple[str, Read]]:
    found, within = False, []
    for name, where in paths_in(path, passed):
        if _is_archive(name):
            within.append((name, Path(where)))
        elif _is_read(name, wanted, passed):
            found = True
            yield name, partial(_read, where)
    for name, file in within:
        if found:
            passed(name, "archives, since there are files beside them")
            continue
        with being_read(file, "is damaged or no archive ({}): fetch it again"):
            inner = _below(name, _in_file(file, wanted, _passed_below(name, passed)))
            yield from ((each, partial(bytes, data)) for each, data in inner)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _is_archive(name: str) -> bool:
    """Whether a file is named as an archive that could be read."""
    return name.lower().endswith(_ARCHIVES)


def _in_archive(
    file: IO[bytes], limit: "Limit", wanted: Wanted, passed: Passed, depth: int = 0
) -> Files:
    """The files of an archive; and those of the archives in it, and what links give."""
    read = _in_zip if zipfile.is_zipfile(file) else _in_tar
    links: dict[str, str] = {}
    folders: list[str] = []
    full: set[str] = set()
    for name, target, content in read(file, limit, wanted):
        if name.endswith("/"):
            folders.append(name)
            continue
        if name.rpartition("/")[0] not in full:
            full.update(_parents(name))
        if target is not None and not unseen(name):
            links[name] = target
        elif depth < _MOST_NESTED and _is_archive(name) and not unseen(name):
            told = _passed_below(name, passed)
            with being_read(f"{limit.path}: {name}", "is damaged or no archive ({})"):
                inner = _in_archive(io.BytesIO(content()), limit, wanted, told, depth + 1)
                yield from _below(name, inner)
        elif _is_read(name, wanted, passed):
            yield name, content()
    for name in folders:
        if not unseen(name) and posixpath.normpath(name) not in full:
            passed(name, "empty folders")
    if links:  # what they name may stand anywhere, and packed archives know no way back
        targets = _targets(links, passed)
        reached: set[str] = set()
        for name, target, content in read(file, limit.again(), wanted):
            for link, linked in _linked(name, targets) if target is None else ():
                reached.add(link)
                if not name.endswith("/") and _is_read(linked, wanted, passed):
                    limit.check(linked, _LINK_COST)
                    yield linked, limit.counted(content())
        for link in sorted({link for several in targets.values() for link in several} - reached):
            passed(link, "links to nothing")


def _parents(name: str) -> Iterator[str]:
    """The folders that a file is in."""
    at = posixpath.normpath(name)
    while at := at.rpartition("/")[0]:
        yield at


def _stem(name: str) -> str:
    """An archive's name as that of a folder."""
    return name[: -max(len(ending) for ending in _ARCHIVES if name.lower().endswith(ending))]


def _below(name: str, files: Files) -> Files:
    for inner, data in files:
        yield f"{_stem(name)}/{inner}", data


def _passed_below(name: str, passed: Passed) -> Passed:
    return lambda inner, why: passed(f"{_stem(name)}/{inner}", why)


Member = tuple[str, str | None, Callable[[], bytes]]
"""Its name, with a / behind a folder's; where it leads where it is a link; and what reads it."""


def _in_zip(file: IO[bytes], limit: "Limit", wanted: Wanted) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = _zip_name(member)
            limit.check(name, member.file_size)
            target = None
            if stat.S_ISLNK(member.external_attr >> 16) and member.file_size < _MAX_LINK:
                to = _member(archive, member, limit.path).decode("utf-8", "replace")
                target = posixpath.join(posixpath.dirname(name), to)
            yield name, target, partial(_member, archive, member, limit.path)


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


def _is_read(name: str, wanted: Wanted, passed: Passed) -> bool:
    if why := unseen(name):
        passed(name, why)
    elif not wanted(name):
        passed(name, f"with the ending {PurePosixPath(name).suffix.lower() or '(none)'}")
    else:
        return True
    return False


def _in_tar(file: IO[bytes], limit: "Limit", wanted: Wanted) -> Iterator[Member]:
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    packer = next((p for magic, p in _PACKERS.items() if start.startswith(magic)), None)
    unpacked = Unpacked(packer.open(file) if packer else file, limit.path, limit.left)
    with tarfile.open(fileobj=cast("IO[bytes]", unpacked), mode="r:") as archive:

        def content(member: tarfile.TarInfo) -> bytes:
            unpacked.most = honest.MAX_FILE
            opened = archive.extractfile(member)
            data = opened.read() if opened else b""
            unpacked.most = honest.MAX_HEADER
            return data

        while member := archive.next():
            name = readable(member.name)
            limit.check(name, member.size)
            unpacked.left += member.size - cost(name, member.size)
            if member.isdir():
                yield f"{name}/", None, bytes
            elif member.issym():
                yield name, posixpath.join(posixpath.dirname(name), member.linkname), bytes
            elif member.islnk():
                yield name, member.linkname, bytes
            elif member.isreg():
                yield name, None, partial(content, member)
            else:
                yield name, "/", bytes
            cast(Any, archive).members.clear()  # or it keeps them all


def _targets(links: dict[str, str], passed: Passed) -> dict[str, list[str]]:
    """What links name inside their archive, each with its links; the others are passed over."""
    targets: dict[str, list[str]] = {}
    leads = {posixpath.normpath(name): posixpath.normpath(to) for name, to in links.items()}
    for name in links:
        target = leads[posixpath.normpath(name)]
        for _ in range(8):  # a link to a link
            target = leads.get(target, target)
        inside = not target.startswith(("../", "/")) and target not in ("..", ".")
        if inside and target not in leads and not f"{name}/".startswith(f"{target}/"):
            targets.setdefault(target, []).append(name)
        else:
            passed(name, "no files, or links that lead out")
    return targets


def _linked(name: str, targets: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The links to a file, and to each folder that it is in; and the names that they give it."""
    whole = posixpath.normpath(name)
    for at in (whole, *_parents(whole)):
        for link in targets.get(at, ()):
            yield link, link + whole[len(at) :]
