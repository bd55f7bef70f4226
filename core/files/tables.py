"""Texts in tables: CSV, TSV, JSON, JSON lines and Parquet, packed or not, from files and pipes.

Delimiter, quoting, header and encoding are found, and `Table.form` says what was. A row that does
not fit is an error that names its line, or is left out and counted where that was asked for.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.delimited import (
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    Rows,
    Text,
    delimited,
    sample_of,
    short,
)
from dlcc.core.files.encodings import encoding_shown, find_encoding
from dlcc.core.files.objects import json_table, parquet_table
from dlcc.core.files.packed import Joined, Opened, ending_of, only_file_in_zip, opened, own_ending
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.settings import Settings, one_of, setting

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "lines")
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
TABLES = tuple(_ENDINGS)
_HEAD = 2**16  # bytes by which a table's form is found
_MOST_SHOWN = 3  # rows that were left out


@dataclass(frozen=True, kw_only=True)
class TableConfig(Settings):
    """How tables are read, where their content does not tell."""

    title = "Data"

    format: str | None = setting(None, one_of(FORMATS))
    """csv, tsv, json, jsonl, parquet or lines; by its name's ending when left out."""
    encoding: str | None = setting(None)
    """Of text: utf-8, utf-16, cp1252, ...; found when left out."""
    skip_bad_rows: bool = setting(False)
    """Leave rows out that do not fit the table, and count them."""


@dataclass
class Table:
    """A table whose rows are read one after another, once."""

    name: str
    columns: tuple[str, ...]
    form: str
    """What it was found to be, in words."""
    _rows: Rows
    skip_bad_rows: bool = False
    bad: list[str] = field(default_factory=list)
    """What was wrong with the first rows that were left out."""
    num_bad: int = 0

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number of the line that a row ends on, and its values by column.

        Raises:
            DataError: a row that does not fit, unless such rows are to be left out; damage.
        """
        for line, row in self._rows:
            if not isinstance(row, DataError):
                yield line, row
            else:
                self.leave_out(row)

    def leave_out(self, why: DataError) -> None:
        """Count a row that does not fit.

        Raises:
            DataError: `why`, where rows are not to be left out.
        """
        if not self.skip_bad_rows:
            raise why
        self.num_bad += 1
        if len(self.bad) < _MOST_SHOWN:
            self.bad.append(why.why)

    def left_out(self) -> list[str]:
        """Lines that say which rows were left out, if any were."""
        if not self.num_bad:
            return []
        more = "; ..." if self.num_bad > len(self.bad) else ""
        return [f"{self.num_bad:,} rows left out: {'; '.join(self.bad)}{more}"]


def is_table(path: Path, how: TableConfig | None = None) -> bool:
    """Whether a file is to be read as a table: by its name, or since that was asked for."""
    if path.is_dir():
        return False
    if how and how.format:
        return how.format != "lines"
    if path.suffix.lower() == ".zip":
        inner = only_file_in_zip(path) if path.is_file() else None
        return inner is not None and ending_of(inner) in _ENDINGS
    return ending_of(path.name) in _ENDINGS


def open_table(source: Path | IO[bytes], name: str = "", how: TableConfig | None = None) -> Table:
    """Begin to read a table.

    Args:
        source: a file, or a stream such as stdin.
        name: what it is called in messages; the path's when left out.
        how: what is known of it.

    Raises:
        DataError: it cannot be read, or is no table.
    """
    name, how = name or str(source), how or TableConfig()
    begin: Opened
    with being_read(name, "is damaged ({})"):
        if isinstance(source, Path) and not source.is_file():  # a pipe, which is read once
            source = BytesIO(read_bytes(source))
        if isinstance(source, Path):
            begin = partial(opened, source, name)
            ending = own_ending(source)
            with begin() as stream:
                head = stream.read(_HEAD)
        else:
            head, ending = source.read(_HEAD), ""
            whole = cast("IO[bytes]", Joined(head, source))
            begin = lambda: nullcontext(whole)  # noqa: E731
        kind = how.format or _kind(head, ending, name)
        if kind == "parquet":
            columns, form, rows = parquet_table(begin, name)
        else:
            encoding = find_encoding(head, how.encoding)
            text = Text(begin, name, encoding, sample_of(head, name, encoding), len(head) < _HEAD)
            read = delimited if kind in ("csv", "tsv") else json_table
            columns, form, rows = read(text, kind)
            form = f"{form}, {encoding_shown(encoding)}"
    return Table(name, columns, form, _guarded(rows, name), how.skip_bad_rows)


def read_rows(
    table: Table, text: str, others: Mapping[str, str] | None = None
) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and what stands in other columns, for each row of a table.

    Args:
        table: just opened.
        text: the text's column.
        others: the other columns, and the settings that name them or nothing.

    Raises:
        DataError: no such column, a row without it, or a damaged line.
    """
    names = {text: "column", **(others or {})}
    for line, row in table.rows():
        where = f"{table.name}, line {line}"
        try:
            values = {name: value_of(row, name, where, asked) for name, asked in names.items()}
        except DataError as error:
            table.leave_out(error)
            continue
        yield line, values[text], [values[name] for name in others or ()]


def value_of(row: Mapping[str, Any], name: str, where: str, field: str = "") -> str:
    """What stands in a column, as text.

    Raises:
        DataError: nothing does, or a list.
    """
    if name not in row:
        columns = ", ".join(row) or "none"
        raise DataError(f"{where}: no column {name!r}, there are {columns}", field, name)
    value = row[name]
    if value is None:
        raise DataError(f"{where}: nothing in the column {name!r}")
    if isinstance(value, list | dict):
        what = "a list" if isinstance(value, list) else "an object"
        raise DataError(f"{where}: the column {name!r} holds {what}, where one value is needed")
    return str(value)


def text_column(table: Table) -> str:
    """The column with the text: the one that is called so, or the only one that may be.

    Raises:
        DataError: none is, or several are.
    """
    columns = table.columns
    if not columns:  # no rows, or the first says why it does not fit
        next(table.rows(), None)
    known = [name for name in columns if name.lower() in TEXT_COLUMNS]
    if not known:
        known = list(columns) if len(columns) == 1 else []
    known = [name for name in known if name.lower() == "text"] or known
    if len(known) != 1:
        shown = ", ".join(map(short, known or columns)) or "none"
        raise DataError(
            f"{table.name} has the columns {shown}: name the one with the text", "column"
        )
    return known[0]


def label_column(table: Table, asked: str | None) -> str:
    """The column with the class: the one that was asked for, or the one that is called so.

    Raises:
        DataError: it is not there, or none or several are.
    """
    if asked is not None:
        if table.columns and asked not in table.columns:
            shown = ", ".join(table.columns)
            raise DataError(
                f"{table.name}: no column {asked!r}, there are {shown}", "label_column", asked
            )
        return asked
    known = [name for name in table.columns if name.lower() in LABEL_COLUMNS]
    known = [name for name in known if name.lower() == "label"] or known
    if len(known) != 1:
        shown = ", ".join(map(short, known or table.columns)) or "none"
        what = "no column 'label'" if not known else "several columns may hold the class"
        raise DataError(f"{table.name}: {what}, there are {shown}: name it", "label_column")
    return known[0]


def _kind(head: bytes, ending: str, name: str) -> str:
    """The format, by a name's ending and the first bytes."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{name} is a workbook or an archive, no table: save it as CSV")
    kind = _ENDINGS.get(ending)
    if kind is None:
        raise UsageError(
            f"{name} does not say what it is: name one of {', '.join(FORMATS)}", "format"
        )
    return kind


def _guarded(rows: Rows, name: str) -> Rows:
    """The rows; what their reading raises is damage."""
    with being_read(name, "is damaged ({})"):
        yield from rows
