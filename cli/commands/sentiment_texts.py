"""The texts that `dlcc sentiment` answers, one after another."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dlcc.core.files.tables import TableConfig

FEW = 20  # texts that are explained unasked, and the most whose attention is shown


class Text(NamedTuple):
    text: str
    name: str = ""
    """Of its file, where each text has one."""


@dataclass
class Given:
    """What is to be answered."""

    texts: Iterator[Text]
    few: bool
    """So few that each is explained."""
    streamed: bool
    """Whether they are read one after another, from a file or from stdin."""
    named: bool = False
    total: int | None = None

    @classmethod
    def read(
        cls, texts: Iterable[Text], nothing: str, total: int | None = None, named: bool = False
    ) -> "Given":
        """Texts of a file or of stdin; `nothing` is said where there are none."""
        from dlcc.core.errors import UsageError

        rest = iter(texts)
        first = list(islice(rest, FEW + 1))
        few = len(first) <= FEW
        if few and not any(each.text.strip() for each in first):
            raise UsageError(nothing)
        return cls(chain(first, rest), few, True, named, total)


def given_texts(
    texts: list[str], file: Path | None, column: str | None, how: "TableConfig"
) -> Given:
    """The texts to answer.

    Raises:
        UsageError: there are none, or what was asked for does not go together.
    """
    from dlcc.cli.console import note
    from dlcc.cli.streams import known_total
    from dlcc.core.errors import UsageError
    from dlcc.core.files.encodings import decode, readable
    from dlcc.core.files.tables import is_table, open_table
    from dlcc.core.sentiment.texts import plain_lines, read_texts, table_texts, text_files

    if file is not None:
        if texts:
            raise UsageError(f"--file {file} and a text: give one of them")
        read, nothing = read_texts(file, column, how, note), f"--file {file} holds no text"
        if not file.is_dir():
            total = None if is_table(file, how) else known_total(file)
            return Given.read(map(Text, read), nothing, total)
        names = [str(each.relative_to(file)) for each in text_files(file)]
        return Given.read(map(Text, read, names), nothing, len(names), named=True)
    as_table = how.format not in (None, "lines")
    if column and not as_table:
        raise UsageError(f"--column {column} needs --file with a .csv, .tsv or .jsonl file")
    if not texts and sys.stdin.isatty():
        raise UsageError('give a text, such as dlcc sentiment "I could not stop smiling."')
    if not texts:
        if as_table:
            read = table_texts(open_table(sys.stdin.buffer, "stdin", how), column, note)
        else:
            read = plain_lines(sys.stdin.buffer, "stdin", how)
        nothing = "stdin is empty: give a text a line, or a text as an argument"
        return Given.read(map(Text, read), nothing)
    found = [decode(sys.stdin.buffer.read(), "stdin") if t == "-" else readable(t) for t in texts]
    for number, text in enumerate(found, 1):
        if not text.strip():
            raise UsageError(f"text {number} is empty: give at least one word")
    return Given(map(Text, found), len(found) <= FEW, streamed=False, total=len(found))
