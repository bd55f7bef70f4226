"""Texts in tables: the rows of .csv, .tsv and .jsonl files."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from dlcc.core.errors import DataError

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_TEXT_COLUMNS = ("text", "review", "sentence")


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def decode(data: bytes, name: str) -> str:
    """UTF-8 as text.

    Raises:
        DataError: it is not UTF-8; the message names the line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line} is not UTF-8 (byte {error.object[error.start]:#x}): convert it, "
            f"for example with iconv -f latin1 -t utf-8"
        ) from error


def read_rows(path: Path, text: str | None, label: str | None) -> Iterator[tuple[int, str, str]]:
    """Line number, text and label of each row of a table.

    Args:
        path: .csv, .tsv, .jsonl or .ndjson, in UTF-8.
        text: the text's column; None takes text, review or sentence, or the only one.
        label: the label's column; None gives empty labels.

    Raises:
        DataError: no such column, a row without it, or a damaged line.
    """
    content = decode(read_bytes(path), str(path))
    read = _csv_rows if path.suffix.lower() in (".csv", ".tsv") else _json_rows
    for line, row in read(path, content):
        text = text or _text_column(path, list(row))
        for flag, name in (("--column", text), ("--label-column", label)):
            if name and row.get(name) is None:
                raise DataError(
                    f"{path}, line {line}: no column {name!r}, there are "
                    f"{', '.join(row) or 'none'}; name one with {flag}"
                )
        yield line, str(row[text]), str(row[label]) if label else ""


def _text_column(path: Path, columns: list[str]) -> str:
    known = [name for name in columns if name.lower() in _TEXT_COLUMNS]
    if not known and len(columns) != 1:
        raise DataError(
            f"{path} has the columns {', '.join(columns) or 'none'}: name the one with the text "
            f"with --column"
        )
    return (known or columns)[0]


def _csv_rows(path: Path, content: str) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(2**30)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(content.splitlines(keepends=True), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if name is not None}
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def _json_rows(path: Path, content: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} is no JSON object: {line[:40]}")
        yield number, row
