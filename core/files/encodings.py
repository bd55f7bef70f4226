"""Bytes to text: which encoding they are in, and lines that end in every usual way.

UTF-8 is read as it is, what a byte order mark or the place of its zeros tells is read as that.
Anything else is refused, with the name of the encoding that it looks like.
"""

import codecs
import re
from collections.abc import Iterable, Iterator

from dlcc.core.errors import DataError, UsageError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SHOWN = {"utf-8-sig": "UTF-8 with a mark", "utf-8": "UTF-8"}
HEAD = 2**16  # bytes that an encoding is found by
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def find_encoding(head: bytes, asked: str | None = None) -> str:
    """The encoding of text that begins with `head`, by its name in Python.

    Args:
        head: its first bytes.
        asked: what it is said to be, if anything.

    Raises:
        UsageError: an encoding that there is not.
    """
    if asked is not None:
        try:
            return codecs.lookup(asked).name
        except (LookupError, UnicodeError) as error:
            raise UsageError(
                "no such encoding: try utf-8, utf-16, cp1252 or latin-1", "encoding", asked
            ) from error
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    pairs = head[: HEAD - HEAD % 2]
    even, odd = pairs[::2].count(0), pairs[1::2].count(0)
    if max(even, odd) > 0.3 * len(pairs) / 2 > 3 * min(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def encoding_shown(name: str) -> str:
    """An encoding as people write it."""
    return _SHOWN.get(name, name.upper())


def decode(data: bytes, name: str, encoding: str | None = None) -> str:
    """Bytes as text.

    Args:
        data: all of it.
        name: of the file, for messages.
        encoding: what it is in; found when None.

    Raises:
        DataError: it is in another encoding, or no text; the message names the line.
    """
    found = find_encoding(data[:HEAD], encoding)
    try:
        text = data.decode(found)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _undecodable(error, data, f"{name}, line {line}", found) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _has_zeros(f"{name}, line {line}")
    return text


def lines_of(data: bytes, name: str, encoding: str | None = None) -> list[str]:
    """The lines of text without their ends, which are \\n, \\r\\n or \\r and nothing else.

    Raises:
        DataError: as of `decode`.
    """
    lines = re.split(r"\r\n|\r|\n", decode(data, name, encoding))
    if not lines[-1]:
        lines.pop()
    return lines


def each_line(parts: Iterable[bytes], name: str, encoding: str) -> Iterator[str]:
    """The lines of text with their ends, one after another, of a stream that ends in them.

    Args:
        parts: the lines of a file as bytes, each up to its \\n.
        name: of the file, for messages.
        encoding: from `find_encoding`.

    Raises:
        DataError: as of `decode`.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    for number, part in enumerate(parts, 1):
        try:
            text = rest + decoder.decode(part)
        except UnicodeDecodeError as error:
            raise _undecodable(error, part, f"{name}, line {number}", encoding) from error
        if "\0" in text:
            raise _has_zeros(f"{name}, line {number}")
        *whole, rest = _LINE.findall(text) or [""]
        if rest.endswith("\n"):
            whole, rest = [*whole, rest], ""
        yield from whole
    if rest:
        yield rest


def _undecodable(error: UnicodeDecodeError, data: bytes, where: str, encoding: str) -> DataError:
    byte = error.object[error.start] if error.start < len(error.object) else 0
    said = f"{where} is not {encoding_shown(encoding)} (byte {byte:#x})"
    if likely := _likely(data):
        return DataError(f"{said}: it looks like {likely}; name its encoding", "encoding", None)
    return DataError(f"{said}: damaged, or no text")


def _likely(data: bytes) -> str:
    """The encoding that bytes look like; nothing where they look like no text."""
    from charset_normalizer import from_bytes

    head = data[: 4 * HEAD]
    if b"\0" in head:
        return ""
    best = from_bytes(head, cp_exclusion=["utf_8", "utf_16", "utf_32"]).best()
    western = best is None or re.match(r"cp125[0247]|cp4|cp8|iso8859|latin|mac_", best.encoding)
    try:
        head.decode("cp1252" if western else str(best and best.encoding))
    except UnicodeDecodeError:
        return "latin-1" if western else ""
    return "cp1252" if western else str(best and best.encoding)


def _has_zeros(where: str) -> DataError:
    return DataError(f"{where} holds a zero byte: it is no text, or UTF-16; name its encoding")


def readable(argument: str) -> str:
    """A command line's argument as text: bytes that are not UTF-8 become U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
