"""Fetch a file once: resumed when it was cut off, checked, whole or not there."""

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dlcc.core.errors import DataError, reason_of
from dlcc.core.files.paths import cache_dir, write_atomically
from dlcc.core.progress import Progress

_CHUNK = 1 << 16
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; dlcc)"}  # ManyThings refuses Python's own


@dataclass(frozen=True)
class RemoteFile:
    """A file that somebody else publishes."""

    url: str
    digest: str = ""
    """Algorithm and checksum, such as sha256:ab12...; empty for a zip archive that changes now and
    then: its own checksums are relied on."""
    instead: str = "give data of your own"
    """What to do where it cannot be fetched."""


def fetch(file: RemoteFile, progress: Progress | None = None, path: Path | None = None) -> Path:
    """`file` on this machine; nothing is fetched when it is there already and has its checksum.

    What was fetched before an interruption stays in `path` + .part and is gone on from. A file gets
    its name when it was checked. The checksum of one that had none is written beside it.

    Args:
        file: what to fetch.
        progress: told how far it has come.
        path: where it is kept; by its name among the cache's downloads when None.

    Raises:
        DataError: not reachable, refused, cut off, damaged, or not the file expected.
    """
    path = path or cache_dir() / "downloads" / file.url.rpartition("/")[2]
    if path.exists() and not _fault(path, file.digest):
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _complete(file.url, part, progress)
        fault = _fault(part, file.digest)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot fetch {file.url} ({reason_of(error)}): try again, or {file.instead}"
        ) from error
    if fault:
        part.unlink()
        raise DataError(f"{file.url} gave {fault}: try again")
    if not file.digest:
        about = {"url": file.url, "sha256": _digest(part, "sha256"), "bytes": part.stat().st_size}
        text = json.dumps(about)
        write_atomically(path.with_suffix(".json"), lambda temporary: temporary.write_text(text))
    part.replace(path)
    return path


def _fault(path: Path, digest: str) -> str:
    """What is wrong with a file, in words; empty where nothing is."""
    algorithm, _, expected = digest.partition(":")
    if digest:
        found = _digest(path, algorithm)
        return "" if found == expected else f"another file than expected ({algorithm} {found})"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError:
        raise
    except Exception as error:  # whatever zipfile did not expect
        return f"no whole zip archive ({error})"
    return f"a damaged archive ({damaged})" if damaged else ""


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, algorithm).hexdigest()


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Fetch what `part` lacks of `url`; a link in its place is not followed."""
    if part.is_symlink():
        part.unlink()
    there = part.stat().st_size if part.exists() else 0
    headers = _HEADERS | ({"Range": f"bytes={there}-"} if there else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing left to fetch
            return
        raise
    with response:
        if response.status != 206:  # the whole file again
            there = 0
        length = response.headers.get("Content-Length")
        total = there + int(length) if length else None
        with open(part, "ab" if there else "wb", opener=_no_link) as file:
            while data := response.read(_CHUNK):
                file.write(data)
                there += len(data)
                if progress:
                    progress(there, total)
    if total is not None and there != total:
        raise OSError(f"{there} of {total} bytes came")


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has no such flag
