"""The two consoles: stdout is the result, stderr is narration, with bars for long work.

What comes from outside may steer a terminal: clear it, rename it, write to the clipboard. So every
console makes control characters visible on its way to one; a pipe gets the data as they are.
"""

import codecs
import json
import math
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from dlcc.cli.options import settings
from dlcc.core.progress import Progress

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_LIBRARIES = ("dlcc", "numpy", "torch", "onnxruntime", "transformers")
_PLAIN_WIDTH = 80
_LONGEST = 1000  # letters of a message
# All that steers: controls but tab and line feed, and what turns the direction of writing around.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_STAND_INS = dict(zip("░▒▓█▀▄·→←↑↓×–—…−─│“”‘’␛", '.:*#"_-><^vx--~--|""\'\'?', strict=True))


def harmless(text: str) -> str:
    """`text` with its control characters made visible, each in one cell."""
    return _STEERING.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else "�"


def _stand_ins(error: UnicodeError) -> tuple[str, int]:
    """Error handler of an encoding: what it lacks has a stand-in as wide, or is a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(character, "?") for character in lacking), error.end


codecs.register_error("dlcc", _stand_ins)


class CleanConsole(Console):
    """A console without markup that lets nothing steer a terminal or break a recorded file."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        segments = super().render(renderable, options)
        if not (self.is_terminal or self.record):
            return segments
        return (s if s.control else Segment(harmless(s.text), s.style) for s in segments)


def stdout() -> Console:
    """The console for results. In a pipe nothing is cut to a screen's width."""
    console = CleanConsole()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200
    return console


def print_results(
    results: Iterable[Any], made_by: Mapping[str, Any] | None = None, **more: Any
) -> None:
    """Print results as one line of JSON, as `dlcc help json` says.

    Args:
        results: a JSON object for each text, picture, model, run or whatever was asked for.
        made_by: how the model was made, or what else the results come from.
        more: what holds for all results.
    """
    print_json(json_of(results, made_by, **more))


def print_json(values: Any) -> None:
    """Print one line of JSON: of a stream of results each has its own."""
    put(json.dumps(_plain(values), ensure_ascii=not _is_unicode(sys.stdout)))


def json_of(
    results: Iterable[Any], made_by: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """JSON values of results, as `print_results` takes them, with how they were made."""
    from dlcc.core.trace.values import VERSION

    context = _current_context()
    origin = {
        "command": shlex.join(["dlcc", *settings.arguments]),
        "versions": {name: version(name) for name in _LIBRARIES if name in {"dlcc", *sys.modules}},
    }
    values = {
        "dlcc": VERSION,
        "command": " ".join(context.command_path.split()[1:]) if context else "",
        "made_by": {**origin, **(made_by or {})},
        **more,
        "results": list(results),
    }
    return {name: _plain(each) for name, each in values.items()}


def by_model(answers: Any) -> dict[str, str]:
    """How the model of a classifier or translator was made, as far as it says so."""
    about = getattr(answers, "about", None) or {}
    return {"model": str(about.get("command") or getattr(answers, "name", ""))}


def _current_context() -> Any:
    from typer._click.globals import get_current_context

    return get_current_context(silent=True)


def _plain(value: Any) -> Any:
    """JSON values alone: numbers of six digits, null for what is none, paths as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    value = value.item() if hasattr(value, "item") else value  # of numpy
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def put(text: str, end: str = "\n") -> None:
    """Print data: as they are into a pipe, harmless on a terminal."""
    print(harmless(text) if sys.stdout.isatty() else text, end=end)


def _is_unicode(stream: Any) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


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


_live: list[Console] = []  # with a bar on them, which others would write over


def stderr() -> Console:
    """The console for progress, notes and warnings."""
    return _live[-1] if _live else CleanConsole(stderr=True)


@contextmanager
def living(console: Console) -> Iterator[None]:
    """Within it, what is said is written above the bar that `console` has."""
    _live.append(console)
    try:
        yield
    finally:
        _live.pop()


def note(message: str) -> None:
    """Say something on stderr, unless --quiet."""
    if not settings.quiet:
        stderr().print(Text(_bounded(message), style="dim"), soft_wrap=True)


def warn(message: str) -> None:
    """Say on stderr what the user should know of the result; --quiet does not silence it."""
    stderr().print(Text.assemble(("warning: ", "yellow"), _bounded(message)), soft_wrap=True)


def fail(message: str) -> None:
    """Say on stderr, in one line, why the command failed."""
    line = _bounded(" ".join(message.split()))
    stderr().print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def _bounded(message: str) -> str:
    """A message without the middle of what is far too long for one, such as a word."""
    if len(message) <= _LONGEST:
        return message
    return f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on a terminal's stderr what is going on, while it goes on."""
    console = stderr()
    if settings.quiet or not console.is_terminal:
        yield
        return
    with console.status(Text(what)), living(console):
        yield


@contextmanager
def counting(what: str, total: int | None = None, shown: bool = True) -> Iterator[Progress]:
    """A bar on stderr for things that are counted."""
    from rich.progress import MofNCompleteColumn

    with _bar(what, MofNCompleteColumn(), total, shown) as progress:
        yield progress


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Within it, say on a terminal what is waited for where that takes more than a second."""
    from threading import Timer

    timer = Timer(1.0, note, [f"loading {what}"])
    timer.daemon = True
    if stderr().is_terminal:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


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
def _bar(
    what: str, amount: "ProgressColumn", total: int | None, shown: bool = True
) -> Iterator[Progress]:
    """A bar with `amount` beside it, on a terminal."""
    from rich import progress

    name = progress.TextColumn("{task.description}", markup=False)
    columns = (name, progress.BarColumn(20), amount, progress.TimeRemainingColumn())
    console = stderr()
    silent = settings.quiet or not console.is_terminal or not shown
    whole = progress.Progress(
        *columns, console=console, transient=True, disable=silent, redirect_stdout=False
    )  # else it writes to stderr what a pipe is to have
    with whole as bar, living(console):
        task = bar.add_task(what, total=total)

        def update(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of or total)

        yield update
