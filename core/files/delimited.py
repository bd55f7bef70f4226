"""CSV and TSV: the delimiter, quoting and header are found; every row has to fit."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.encodings import each_line
from dlcc.core.files.packed import Opened

Rows = Iterator[tuple[int, dict[str, Any] | DataError]]
"""The line that a row ends on, and its values by column, or why it does not fit."""
Found = tuple[tuple[str, ...], str, Rows]
"""Columns, the form in words, and all rows."""

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
TEXT_COLUMNS = ("text", "review", "sentence", "content", "comment", "body", "tweet", "message")
LABEL_COLUMNS = ("label", "sentiment", "class", "category", "polarity", "target", "rating")
csv.field_size_limit(2**30)


@dataclass(frozen=True)
class Text:
    """A table of text."""

    opened: Opened
    name: str
    encoding: str
    sample: list[str]
    """Its first lines."""
    whole: bool
    """Whether these are all."""

    def lines(self) -> Iterator[str]:
        """All its lines, with their ends."""
        with self.opened() as stream:
            yield from each_line(stream, self.name, self.encoding)


def sample_of(head: bytes, name: str, encoding: str) -> list[str]:
    parts = head.splitlines(keepends=True)
    try:
        return list(each_line(parts, name, encoding))
    except DataError:  # which the reading of it all will name with its line
        return list(each_line(parts, name, "latin-1"))


@dataclass(frozen=True)
class _Dialect:
    delimiter: str
    quoted: bool

    def read(self, lines: Iterable[str]) -> Any:
        if not self.quoted:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, strict=True)

    def sample(self, lines: Sequence[str], whole: bool) -> list[list[str]] | None:
        """The rows of a sample; None where its quotes do not fit. The last may be cut."""
        rows: list[list[str]] = []
        reader = self.read(lines)
        try:
            rows.extend(row for row in reader if row)
        except csv.Error as error:
            if whole or "unexpected end" not in str(error):
                return None
            return rows
        return rows if whole else rows[:-1] or rows


def delimited(text: Text, kind: str) -> Found:
    sample, first = text.sample, 0
    told = re.fullmatch(r"\"?sep=(.)\"?\s*", sample[0]) if sample else None
    if told:
        sample, first = sample[1:], 1
    dialect = _dialect(sample, text.whole, "\t" if kind == "tsv" else ",", told and told[1])
    header = _first(dialect.read(sample), text.name, first)
    if not header:
        return (), "no rows", iter(())
    columns = _header(header, text.name, first + 1)
    form = f"split at {_DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))}"
    return columns, form, _csv_rows(text, columns, dialect, first)


def _dialect(sample: Sequence[str], whole: bool, usual: str, told: str | None) -> _Dialect:
    """The delimiter and quoting by which most rows of a sample are as wide as the first."""
    delimiters = [told] if told else [usual, *(each for each in _DELIMITERS if each != usual)]
    best, best_share = _Dialect(delimiters[0], delimiters[0] != "\t"), 0.0
    for delimiter in delimiters:
        for quoted in (True, False) if delimiter == "\t" else (True,):
            dialect = _Dialect(delimiter, quoted)
            rows = dialect.sample(sample, whole)
            if not rows or len(rows[0]) < 2:
                continue
            share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            if share > best_share:
                best, best_share = dialect, share
        if best_share and delimiter == usual:
            break  # another is tried where the usual one splits nothing
    return best


def _first(reader: Any, name: str, before: int) -> list[str]:
    """The first row that is not empty."""
    try:
        return next((row for row in reader if row), [])
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num + before}: {error}") from error


def _header(header: list[str], name: str, line: int) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        DataError: the first row names no columns, or two alike.
    """
    columns = tuple(cell.strip() for cell in header)
    if len(columns) == 1 and not _is_name(columns[0]):
        raise DataError(
            f"{name}, line {line} is no header but {short(columns[0])!r}: put a line with the "
            "names of the columns above it, such as text,label, or read it as lines",
            "format",
        )
    if len(columns) > 1 and not any(map(_is_name, columns)):
        shown = ", ".join(short(repr(each)) for each in columns)
        raise DataError(
            f"{name}, line {line} is no header but a row ({shown}): put a line with the names of "
            "the columns above it, such as text,label"
        )
    named = [each for each in columns if each]
    if twice := next((each for each in named if named.count(each) > 1), None):
        raise DataError(f"{name} has two columns {twice!r}: rename one")
    return columns


def _is_name(cell: str) -> bool:
    """Whether a cell may be the name of a column: a word or two, no sentence and no number."""
    if cell.lower() in (*TEXT_COLUMNS, *LABEL_COLUMNS):
        return True
    return bool(re.fullmatch(r"[^\W\d][\w-]*( \w+)?", cell)) and len(cell) <= 40


def _csv_rows(text: Text, columns: tuple[str, ...], dialect: _Dialect, before: int) -> Rows:
    name, width, delimiter = text.name, len(columns), dialect.delimiter
    lines = text.lines()
    for _ in range(before):
        next(lines)
    reader = dialect.read(lines)
    _first(reader, name, before)  # the header
    while True:
        begun = reader.line_num + before + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{name}, line {begun}: {error}") from error
        line = reader.line_num + before
        if not row:
            continue
        if len(row) == width:
            yield line, dict(zip(columns, row, strict=True))
            continue
        if len(row) > width:
            what = f"has {len(row)} columns, the header {width}: quote texts that hold "
            why = f"{name}, line {line} {what}{delimiter!r}, or skip bad rows"
        else:
            what = f"no column {columns[len(row)]!r}, it has {len(row)} of {width}"
            why = f"{name}, line {line}: {what}: complete it, or skip bad rows"
        yield line, DataError(why)


def looks_like_table(line: str) -> bool:
    """Whether the first line of a text may be the header of a table that has texts."""
    for delimiter in _DELIMITERS:
        cells = [cell.strip().strip('"').lower() for cell in line.lstrip("\ufeff").split(delimiter)]
        if len(cells) > 1 and any(cell in TEXT_COLUMNS for cell in cells):
            return all(cell in ("", *LABEL_COLUMNS) or _is_name(cell) for cell in cells)
    return bool(re.match(r'\s*(\[\s*)?\{\s*"', line) or line.strip() == "[")


def short(name: str) -> str:
    """A name as far as it fits into a message."""
    return name if len(name) <= 40 else f"{name[:39]}…"
