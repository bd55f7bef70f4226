"""The lines of a text file or a pipe, one after another, as they come."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dlcc.core.files.encodings import HEAD, each_line, find_encoding
from dlcc.core.files.packed import Joined
from dlcc.core.files.paths import being_read


def lines_in(
    source: Path | IO[bytes], name: str = "", encoding: str | None = None
) -> Iterator[str]:
    """Lines without their ends, which are \\n, \\r\\n or \\r and nothing else.

    Args:
        source: a file, or a stream such as stdin.
        name: what it is called in messages; the path's when left out.
        encoding: what it is in; found when None.

    Raises:
        DataError: it cannot be read, is in another encoding, or no text; the message names the
            line.
    """
    if isinstance(source, Path):
        with being_read(source), source.open("rb") as stream:
            yield from lines_in(stream, name or str(source), encoding)
        return
    first = getattr(source, "read1", source.read)  # what a pipe has by now
    head = first(HEAD)
    parts = Joined(head, source)
    for line in each_line(parts, name, find_encoding(head, encoding)):
        yield line.rstrip("\r\n")


def count_lines(path: Path) -> int:
    """About how many lines an ordinary file has."""
    with being_read(path), path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b""))
