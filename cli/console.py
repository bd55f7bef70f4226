"""The two consoles: stdout is the result, stderr is narration, with bars for long work."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from dlcc.cli.options import settings
from dlcc.core.progress import Progress

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_PLAIN_WIDTH = 80


def stdout() -> Console:
    """The console for results. In a pipe nothing is cut to a screen's width."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200
    return console


def print_json(values: Any) -> None:
    """Print a result as one line of JSON."""
    print(json.dumps(values, ensure_ascii=False))


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines that were drawn for a width: whole, whatever the screen's."""
    console = stdout()
    for line in lines:
        console.print(line, no_wrap=True, crop=False)


def drawing_width(most: int | None = None) -> int:
    """Columns that a drawing on stdout may take, at most `most`; 80 in a pipe."""
    console = stdout()
    width = console.width if console.is_terminal else _PLAIN_WIDTH
    return width if most is None else min(width, most)


def stderr() -> Console:
    """The console for progress, notes and warnings."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def note(message: str) -> None:
    """Say something on stderr, unless --quiet."""
    if not settings.quiet:
        stderr().print(Text(message, style="dim"), soft_wrap=True)


def warn(message: str) -> None:
    """Say on stderr what the user should know of the result; --quiet does not silence it."""
    stderr().print(Text.assemble(("warning: ", "yellow"), message), soft_wrap=True)


def fail(message: str) -> None:
    """Say on stderr, in one line, why the command failed."""
    line = " ".join(message.split())
    stderr().print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Progress]:
    """A bar on stderr for things that are counted."""
    from rich.progress import MofNCompleteColumn

    with _bar(what, MofNCompleteColumn(), total) as progress:
        yield progress


@contextmanager
def transferring(what: str) -> Iterator[Progress]:
    """A bar on stderr for bytes."""
    from rich.progress import DownloadColumn

    with _bar(what, DownloadColumn(), None) as progress:
        yield progress


@contextmanager
def reading(path: Path | None) -> Iterator[Progress | None]:
    """A bar on stderr for reading `path`, where there is one."""
    if path is None:
        yield None
        return
    with transferring(f"reading {path.name}") as progress:
        yield progress


@contextmanager
def _bar(what: str, amount: "ProgressColumn", total: int | None) -> Iterator[Progress]:
    """A bar with `amount` beside it, on a terminal."""
    from rich import progress

    name = progress.TextColumn("{task.description}", markup=False)
    columns = (name, progress.BarColumn(20), amount, progress.TimeRemainingColumn())
    console = stderr()
    silent = settings.quiet or not console.is_terminal
    with progress.Progress(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task(what, total=total)

        def update(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of or total)

        yield update
