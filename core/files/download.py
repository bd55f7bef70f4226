"""Fetch a file once: resumed when it was cut off, checked, whole or not there."""

import hashlib
import http.client
import json
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlcc.core.errors import DataError
from dlcc.core.files.paths import cache_dir, write_atomically

Progress = Callable[[int, int | None], None]
"""Told (bytes there, bytes in all if known)."""

_CHUNK = 1 << 16
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; dlcc)"}  # ManyThings refuses Python's own


@dataclass(frozen=True)
class RemoteFile:
    """A file that somebody else publishes and that does not change."""

    url: str
    digest: str
    """Algorithm and checksum, such as sha256:ab12..."""


def fetch_zip(url: str, path: Path, progress: Progress | None = None) -> Path:
    """The zip archive at `url`, kept at `path`; nothing is fetched when it is there already.

    What was fetched before an interruption stays in `path` + .part and is gone on from. Every
    file in the archive is checked against its checksum before the archive gets its name; the
    archive's own SHA-256 is written beside it.

    Raises:
        DataError: not reachable, refused, or damaged.
    """
    if path.exists():
        return path
    part = _fetch(url, path, progress)
    try:
        with zipfile.ZipFile(part) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        part.unlink()
        raise DataError(f"{url} gave no whole zip archive ({error}): try again") from error
    if damaged is not None:
        part.unlink()
        raise DataError(f"{url} gave a damaged archive ({damaged}): try again")
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    about = json.dumps({"url": url, "sha256": digest, "bytes": part.stat().st_size})
    write_atomically(path.with_suffix(".json"), lambda temporary: temporary.write_text(about))
    part.replace(path)
    return path


def fetch(file: RemoteFile, progress: Progress | None = None) -> Path:
    """A file that is known by its checksum, in the cache; resumed as in `fetch_zip`.

    Raises:
        DataError: not reachable, refused, cut off, or not the file expected.
    """
    path = cache_dir() / "downloads" / file.url.rpartition("/")[2]
    if path.exists():
        return path
    part = _fetch(file.url, path, progress)
    algorithm, _, expected = file.digest.partition(":")
    with part.open("rb") as data:
        found = hashlib.file_digest(data, algorithm).hexdigest()
    if found != expected:
        part.unlink()
        raise DataError(f"{file.url} gave another file than expected ({algorithm} {found})")
    part.replace(path)
    return path


def _fetch(url: str, path: Path, progress: Progress | None) -> Path:
    """All of `url`, beside `path` in a .part file that an earlier call may have begun."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _complete(url, part, progress)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"cannot fetch {url} ({reason}): try again, or give --data PATH") from error
    return part


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Fetch what `part` lacks of `url`."""
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
        with part.open("ab" if there else "wb") as file:
            while data := response.read(_CHUNK):
                file.write(data)
                there += len(data)
                if progress:
                    progress(there, total)
    if total is not None and there != total:
        raise OSError(f"{there} of {total} bytes came")
