"""The two consoles: stdout is the result, stderr is narration."""

from rich.console import Console
from rich.text import Text

from dlcc.cli.options import settings


def stdout() -> Console:
    """The console for results. In a pipe nothing is cut to a screen's width."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console.width = 200
    return console


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
