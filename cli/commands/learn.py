"""`dlcc learn`: the chapter as lessons, in the viewer or as plain text."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dlcc.core.lessons import Lesson

_ROWS, _WIDTH = 20, 80  # of a map that are printed; of all lines


def learn(
    number: Annotated[
        int | None,
        typer.Argument(help="Which lesson, from 1; a list without.", show_default=False),
    ] = None,
    print_it: Annotated[
        bool, typer.Option("--print", help="As plain text, with the answer at the end.")
    ] = False,
) -> None:
    """Learn how attention works, in ten lessons of a few minutes.

    A lesson is a few screens of text beside a live map, something to do, and a question that is
    checked. In a pipe it is printed.

    Examples:
        dlcc learn
        dlcc learn 3
        dlcc learn 3 --print
    """
    from dlcc.cli.tui.app import is_interactive, view
    from dlcc.core.lessons import lesson

    if number is None:
        _list()
        return
    chosen = lesson(number)
    if print_it or not is_interactive():
        _print(chosen)
    else:
        view(None, lesson_number=chosen.number)


def _list() -> None:
    from dlcc.cli.console import note, warn
    from dlcc.cli.tui.screens.lesson import lesson_lines
    from dlcc.core.files.remembered import damage

    if fault := damage():
        warn(fault)
    for line in lesson_lines():
        print(line)
    note("dlcc learn NUMBER opens one; with --print it is plain text")


def _print(chosen: "Lesson") -> None:
    """Text, maps in words, what there is to do in the viewer, question and answer."""
    from dlcc.cli.tui import info
    from dlcc.cli.tui.screens.lesson import state_of

    lines = [f"Lesson {chosen.number}: {chosen.title}"]
    told: list[dict[str, Any]] = []
    for page in chosen.pages:
        lines += ["", _fill(page.text)]
        for place, show in enumerate(page.shows, 1):
            if show in told:
                continue
            told.append(show)
            heading = f"Map {place} of {len(page.shows)} ({page.turns})" if page.turns else "Map"
            table = info.table(state_of(show).shown).splitlines()
            lines += [
                "",
                _fill(f"{heading}: {table[0]}"),
                *(_fill(row, "    ") for row in table[2 : 2 + _ROWS]),
            ]
            if len(table) > 2 + _ROWS:
                lines.append(f"and {len(table) - 2 - _ROWS} more rows")
        if page.do:
            lines += ["", _fill(f"To do in the viewer: {page.do}")]
    question, right = chosen.question, chosen.right()
    lines += ["", _fill(f"Question: {question.ask}")]
    lines += [f"  {place}  {option}" for place, option in enumerate(question.options, 1)]
    answer = f"Answer: {right + 1}, {question.options[right]}. {question.because}"
    lines += ["", _fill(answer)]
    print("\n".join(lines))


def _fill(text: str, indent: str = "") -> str:
    """Lines of at most `_WIDTH` characters, those after the first with an indent."""
    from textwrap import fill

    return fill(text, _WIDTH, subsequent_indent=indent)
