"""Tables of objects: JSON, JSON lines and Parquet."""

import json
from collections.abc import Iterator
from typing import Any

from dlcc.core.errors import DataError
from dlcc.core.files.delimited import Found, Rows, Text
from dlcc.core.files.packed import Opened
from dlcc.core.files.paths import being_read

_ROWS = 1000  # of Parquet that are unpacked at a time


def json_table(text: Text, kind: str) -> Found:
    start = next((line.strip() for line in text.sample if line.strip()), "")
    if kind == "json" and start.startswith("["):
        return _from_objects(_parsed("".join(text.lines()), text.name), text.name)
    if kind == "json" and text.whole and start.startswith("{"):
        try:
            whole = json.loads("".join(text.sample))
        except (ValueError, RecursionError):
            whole = {}  # an object a line, or damaged: the line tells
        lists = [value for value in whole.values() if isinstance(value, list)]
        if len(lists) == 1 and lists[0] and isinstance(lists[0][0], dict):
            return _from_objects(lists[0], text.name)
    _, first = next(_json_rows(iter(text.sample), text.name), (0, {}))
    columns = tuple(first) if isinstance(first, dict) else ()
    return columns, "an object a line", _json_rows(text.lines(), text.name)


def _json_rows(lines: Iterator[str], name: str) -> Rows:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            row = _parsed(line, where)
        except DataError as error:
            yield number, error
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield number, DataError(f"{where} is no JSON object: {line[:40].strip()}")


def _from_objects(objects: list[Any], name: str) -> Found:
    def rows() -> Rows:
        for number, row in enumerate(objects, 1):
            fits = isinstance(row, dict)
            yield number, row if fits else DataError(f"{name}, item {number} is no JSON object")

    columns = tuple(objects[0]) if objects and isinstance(objects[0], dict) else ()
    return columns, "a JSON array", rows()


def _parsed(text: str, where: str) -> Any:
    with being_read(where, "is not JSON: {}"):
        value = json.loads(text)
        if "\\u" in text:
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                half = f"\\u{ord(error.object[error.start]):04x}"
                raise DataError(
                    f"{where} is not whole: it holds {half}, half of a character"
                ) from error
    return value


def parquet_table(opened: Opened, name: str) -> Found:
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    with opened() as stream:
        whole = None if stream.seekable() else stream.read()
        file = ParquetFile(stream if whole is None else BufferReader(whole))
        columns = tuple(file.schema_arrow.names)

    def rows() -> Rows:
        with opened() if whole is None else BufferReader(whole) as stream:
            batches = ParquetFile(stream).iter_batches(_ROWS)
            each = (row for batch in batches for row in batch.to_pylist())
            yield from enumerate(each, 1)

    return columns, "Parquet", rows()
