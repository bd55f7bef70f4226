"""What comes out of archives, as far as is honest: what unpacks to far too much is a bomb."""

import tarfile
from pathlib import Path
from typing import IO

from dlcc.core.errors import DataError

MAX_FILE = 2**28  # 256 MiB: far above any picture or text
_MAX_RATIO = 200  # pictures hardly shrink, texts to a tenth; beyond it an archive is a bomb
_SLACK = 2**26
_BARE = (".bmp", ".ppm", ".pgm", ".tif", ".tiff")
_BARE_RATIO = 16  # drawings of one colour shrink to a thousandth
MAX_HEADER = 2**20  # what a tar archive says of one file: its name, its owner


class Unpacked:
    """What comes out of a packed file, as far as is honest: tarfile takes a header's word for its
    size, and passes over files by reading them."""

    def __init__(self, file: IO[bytes], path: Path, left: int) -> None:
        self.file, self.path, self.left = file, path, left
        self.most = MAX_HEADER

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
            if not self.read(min(ahead, MAX_HEADER)):
                return
        if ahead < 0:
            self.file.seek(to)


class Limit:
    """Refuses what no honest archive holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = _MAX_RATIO * path.stat().st_size + _SLACK

    def again(self) -> "Limit":
        """For the same archive, read once more."""
        return Limit(self.path)

    def counted(self, data: bytes) -> bytes:
        """What was read once more."""
        self.left -= len(data)
        return data

    def check(self, name: str, size: int) -> None:
        below = name.replace("\\", "/")
        if below.startswith("/") or ".." in below.split("/"):
            raise DataError(f"{self.path} holds {name!r}, a path outside its folder: not read")
        self.left -= cost(name, size)
        if size > MAX_FILE or self.left < 0:
            raise DataError(f"{self.path}: unpacked, {name} is far too large: not read")


def cost(name: str, size: int) -> int:
    """What a file counts as unpacked: drawings shrink as much as bombs do."""
    return size // _BARE_RATIO if name.lower().endswith(_BARE) else size
