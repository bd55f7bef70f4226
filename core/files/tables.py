"""Texts in tables: the rows of .csv, .tsv and .jsonl files."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlcc.core.errors import DataError
from dlcc.core.files.paths import being_read, read_bytes

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
_TEXT_COLUMNS = ("text", "review", "sentence")


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


def lines_of(data: bytes, name: str) -> list[str]:
    """The lines of UTF-8 text without their ends, which are \\n or \\r\\n and nothing else.

    Raises:
        DataError: it is not UTF-8.
    """
    lines = decode(data, name).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def readable(argument: str) -> str:
    """A command line's argument as text: bytes that are not UTF-8 become U+FFFD."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_rows(
    path: Path, text: str | None, others: Mapping[str, str] | None = None
) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and what stands in other columns, for each row of a table.

    Args:
        path: .csv, .tsv, .jsonl or .ndjson, in UTF-8.
        text: the text's column; None takes text, review or sentence, or the only one.
        others: the other columns, and the settings that name them or nothing.

    Raises:
        DataError: no such column, a row without it, or a damaged line.
    """
    content = decode(read_bytes(path), str(path))
    read = _csv_rows if path.suffix.lower() in (".csv", ".tsv") else _json_rows
    for line, row in read(path, content):
        text = text or _text_column(path, list(row))
        for name, field in {text: "column", **(others or {})}.items():
            if row.get(name) is None:
                columns = ", ".join(row) or "none"
                raise DataError(
                    f"{path}, line {line}: no column {name!r}, there are {columns}", field, name
                )
        yield line, str(row[text]), [str(row[name]) for name in others or ()]


def _text_column(path: Path, columns: list[str]) -> str:
    known = [name for name in columns if name.lower() in _TEXT_COLUMNS]
    if not known and len(columns) != 1:
        raise DataError(
            f"{path} has the columns {', '.join(columns) or 'none'}: name the one with the text",
            "column",
        )
    return (known or columns)[0]


def _csv_rows(path: Path, content: str) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(2**30)
    lines = io.StringIO(content, newline="")
    if path.suffix.lower() == ".tsv":  # which has no quoting
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.DictReader(lines, strict=True)  # an open quote would swallow the file
    try:
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if name is not None}
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num + 1}: {error}") from error


def _json_rows(path: Path, content: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        with being_read(f"{path}, line {number}", "is not JSON: {}"):
            row = json.loads(line)
            if "\\u" in line:
                json.dumps(row, ensure_ascii=False).encode()  # half of a pair is no character
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} is no JSON object: {line[:40]}")
        yield number, row
