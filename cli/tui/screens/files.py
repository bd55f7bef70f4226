"""Taking away what a screen shows: a file is asked for, and none is replaced unasked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from dlcc.cli.draw.export import check_place
from dlcc.cli.draw.figure.themes import THEMES
from dlcc.cli.tui.export import Seen
from dlcc.cli.tui.messages import Failed
from dlcc.cli.tui.screens.dialogs import Ask, Choose
from dlcc.core.errors import DlccError

Write = Callable[[Path, str], str | None]
"""Writes a file, in a theme where it is a figure; what there is to say of it."""


def ask_and_export(screen: Screen[Any], seen: Callable[[], Seen], name: str) -> None:
    """Ask for a file, at first `name`, and write what is seen."""
    *some, last = seen().formats
    title = f"Export the view: {', '.join(some)} or {last}"
    ask_and_write(screen, title, name, lambda path, theme: seen().write(path, theme), themed=True)


def ask_and_write(
    screen: Screen[Any], title: str, name: str, write: Write, themed: bool = False
) -> None:
    """Ask for a file and write it; ask again after a failure, and before one is replaced.

    Args:
        screen: over which is asked.
        title: what is asked.
        name: what stands there at first; a number is added where there is such a file.
        write: writes the file.
        themed: whether a theme is chosen as well.
    """
    theme = next(iter(THEMES))

    def ask(name: str) -> None:
        choice = ("Theme", [theme, *(each for each in THEMES if each != theme)]) if themed else None
        screen.app.push_screen(Ask(title, [("File", name)], choice, paths=True), chosen)

    def chosen(answer: list[str] | None) -> None:
        nonlocal theme
        if not answer or not answer[0].strip():
            return
        path = Path(answer[0].strip()).expanduser()
        theme = answer[-1] if themed else theme
        if not path.is_file():
            put(path)
            return
        other = free(path)
        options = [(f"Write {other} instead", other), (f"Replace {path}", path)]
        screen.app.push_screen(Choose(f"{path} is there already", options), put)

    def put(path: Path | None) -> None:
        if path is None:
            return
        try:
            check_place(path, replace=True)
            said = write(path, theme)
        except DlccError as error:
            screen.post_message(Failed(error))
            ask(str(path))
        else:
            screen.notify(f"Written: {path}" + f"; {said}" * bool(said), markup=False)

    ask(str(free(Path(name))))


def free(path: Path) -> Path:
    """`path`, with a number where there is such a file already."""
    number, found = 2, path
    while found.exists():
        found, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return found
