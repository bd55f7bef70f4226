"""Files from the network into the cache: resumed after an interruption, verified when whole."""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from dlcc.core.errors import DataError
from dlcc.core.paths import cache_dir

_BLOCK = 2**18
_TIMEOUT = 30  # seconds without a byte

Progress = Callable[[int, int], None]
"""Called with (bytes there, bytes in all) now and then."""


@dataclass(frozen=True)
class RemoteFile:
    """A file somebody else publishes."""

    url: str
    size: int
    """Bytes."""
    digest: str
    """Algorithm and checksum as its publisher gives it, such as sha256:ab12..."""

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


def fetch(file: RemoteFile, progress: Progress | None = None) -> Path:
    """The file in the cache, downloaded where it is not there yet.

    Args:
        file: what to fetch.
        progress: told how far it has come.

    Raises:
        DataError: the network, or a file that is not the one expected.
    """
    whole = cache_dir() / "downloads" / file.name
    part = whole.with_name(f"{whole.name}.part")
    if not whole.exists():
        try:
            whole.parent.mkdir(parents=True, exist_ok=True)
            _complete(file, part, progress)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise DataError(
                f"cannot download {file.url}: {reason}; try again to go on from there, or fetch it "
                f"by other means and name it with --data"
            ) from error
        _check(file, part)
        part.replace(whole)
    return whole


def _complete(file: RemoteFile, part: Path, progress: Progress | None) -> None:
    """Append to `part` what is missing."""
    there = part.stat().st_size if part.exists() else 0
    if there >= file.size:
        return
    headers = {"User-Agent": "dlcc", **({"Range": f"bytes={there}-"} if there else {})}
    request = urllib.request.Request(file.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        resumed = answer.status == 206
        there = there if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            while block := answer.read(_BLOCK):
                out.write(block)
                there += len(block)
                if progress:
                    progress(there, file.size)


def _check(file: RemoteFile, part: Path) -> None:
    """Raise unless `part` is the file; one that is too long or different is deleted."""
    size = part.stat().st_size
    if size < file.size:
        raise DataError(
            f"{file.url} ended after {size:,} of {file.size:,} bytes: try again to go on from there"
        )
    algorithm, _, expected = file.digest.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with part.open("rb") as data:
        while block := data.read(_BLOCK):
            digest.update(block)
    if size != file.size or digest.hexdigest() != expected:
        part.unlink()
        raise DataError(
            f"{file.url} is not the file expected ({algorithm} {digest.hexdigest()}): deleted; "
            f"try again, or fetch it by other means and name it with --data"
        )
