"""Texts one after another, out of the files that people have: a folder, a table, a text a line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from dlcc.core.errors import DataError, UsageError
from dlcc.core.files.delimited import looks_like_table
from dlcc.core.files.encodings import decode
from dlcc.core.files.lines import lines_in
from dlcc.core.files.paths import being_read, read_bytes
from dlcc.core.files.tables import Table, TableConfig, is_table, open_table, read_rows, text_column
from dlcc.core.files.walk import files_in


def unsaid(message: str) -> None:
    """For whom nobody listens: what reading would say of what it found."""


Say = Callable[[str], None]


def is_text(name: str) -> bool:
    """Whether a file is a text, by its name."""
    return name.lower().endswith(".txt")


def text_files(folder: Path) -> list[Path]:
    """All .txt files below a folder, in the order of `read_texts`."""
    with being_read(folder):
        return [file for name, file in files_in(folder) if is_text(name)]


def read_texts(
    path: Path, column: str | None = None, how: TableConfig | None = None, say: Say = unsaid
) -> Iterator[str]:
    """Texts without labels, one after another in their order: a folder's .txt files by name, the
    rows of a table, or a text a line.

    Args:
        path: a file or folder.
        column: a table's column with the text.
        how: what is known of a table or of lines.
        say: is told what was found and what was left out.

    Raises:
        DataError: nothing there, a column that is missing, or a text in another encoding.
    """
    if path.is_dir():
        files = text_files(path)
        if not files:
            raise DataError(f"{path} holds no .txt files")
        yield from (decode(read_bytes(file), str(file)) for file in files)
    elif is_table(path, how):
        yield from table_texts(open_table(path, how=how), column, say)
    elif column:
        raise UsageError(f"{path.name} is no .csv, .tsv or .jsonl file", "column", column)
    else:
        yield from plain_lines(path, str(path), how)


def plain_lines(
    source: Path | IO[bytes], name: str, how: TableConfig | None = None
) -> Iterator[str]:
    """A text a line.

    Raises:
        DataError: another encoding, or what looks like a table.
    """
    lines = lines_in(source, name, how.encoding if how else None)
    for first in lines:
        if not (how and how.format) and looks_like_table(first):
            raise UsageError(
                f"{name} looks like a table, with {first[:60]!r} on top: name csv, tsv or lines",
                "format",
            )
        yield first
        break
    yield from lines


def table_texts(table: Table, column: str | None, say: Say) -> Iterator[str]:
    """The texts of a table that was just opened.

    Raises:
        DataError: a column that is missing, a row that does not fit.
    """
    name = column or (text_column(table) if table.columns else "text")
    count = 0
    for _, text, _ in read_rows(table, name):
        count += 1
        yield text
    tell(say, table, count, name)


def tell(say: Say, table: Table, count: int, text: str, label: str = "") -> None:
    """Say what a table was found to be."""
    columns = f"text = {text}" + (f", label = {label}" if label else "")
    say(f"{Path(table.name).name}: {count:,} rows; {columns}; {table.form}")
    for line in table.left_out():
        say(f"{Path(table.name).name}: {line}")
