"""Answers to whatever many questions: printed as they come, in whole lines, into memory that stays
as it is; and gone on with where they were cut off."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TypeVar

from dlcc.cli.console import counting, note
from dlcc.cli.options import settings
from dlcc.cli.progress import stop_on_interrupt
from dlcc.core.files.paths import being_read
from dlcc.core.progress import windows

_MOST = 4096  # questions that are answered at a time
Item = TypeVar("Item")


@contextmanager
def continued(file: Path | None, as_csv: bool = False) -> Iterator[int]:
    """Within it, stdout goes on where `file` stops after a whole answer, and is `file`.

    Args:
        file: what was written before, if anything; stdout stays what it is without one.
        as_csv: whether an answer is a row of CSV below a header; else it is a line.

    Returns:
        How many answers there were.

    Raises:
        DataError: it cannot be read or written.
    """
    if file is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # whoever kills us leaves whole lines
        yield 0
        return
    with being_read(file, "cannot be gone on with ({})"):
        stream = file.open("a+", 1, "utf-8", newline="\n")
    with stream, redirect_stdout(stream):
        count, end = _whole_answers(file, as_csv)
        stream.truncate(end)
        if count:
            note(f"{file} holds {count:,} answers: going on after these")
        yield count


def _whole_answers(file: Path, as_csv: bool) -> tuple[int, int]:
    """How many whole answers a file holds, and where the last one ends."""
    count = end = taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in stream:
            if line.endswith(b"\n"):
                taken += len(line)
                yield line.decode()

    with being_read(file, "holds no answers ({})"), file.open("rb") as stream:
        try:
            for _ in csv.reader(lines(), strict=True) if as_csv else lines():
                count, end = count + 1, taken
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise
    return max(0, count - as_csv), end


def in_windows(
    items: Iterable[Item], what: str, total: int | None = None, most: int = _MOST
) -> Iterator[list[Item]]:
    """Items in their order, as many at a time as are answered in a moment, with a bar where the
    answers are not on the screen. A Ctrl-C waits until those at hand are.

    Args:
        items: what is answered, one after another.
        what: what they are called, in the plural.
        total: how many there are, where that is known.
        most: items at a time.
    """
    done = 0
    with counting(what, total, not sys.stdout.isatty()) as progress:
        for window in windows(items, most):
            with stop_on_interrupt() as asked:
                yield window
                sys.stdout.flush()
            done += len(window)
            progress(done, total)
            if asked():
                note(f"{done:,} {what} were answered")
                raise KeyboardInterrupt


def known_total(path: Path | None) -> int | None:
    """How many lines a file has, if somebody looks at the bar and that takes no time."""
    if path is None or settings.quiet or not sys.stderr.isatty():
        return None
    from dlcc.core.files.lines import count_lines

    return count_lines(path) if path.is_file() and path.stat().st_size < 2**30 else None
