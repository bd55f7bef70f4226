"""What a key of the map screen starts on another screen, in a file or on the clipboard."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.cli.draw.labels import display
from dlcc.cli.tui import commands, info
from dlcc.cli.tui.screens.dialogs import Ask, Choose, Read
from dlcc.cli.tui.state import Choice
from dlcc.core.errors import DlccError
from dlcc.core.trace.trace import AttentionTrace, save_traces

if TYPE_CHECKING:
    from dlcc.cli.tui.screens.map import MapScreen


def search(screen: "MapScreen") -> None:
    """Ask for a word, and go to the first row or column that holds it."""

    def find(answer: list[str] | None) -> None:
        if not answer or not answer[0]:
            return
        screen.searched = unicodedata.normalize("NFC", answer[0]).casefold()
        found = len(screen.matches)
        if found:
            screen.notify(f"{found} found; n and N go through them", markup=False)
            go_to_match(screen, 0)
        else:
            screen.notify(f"{answer[0]} is in no row or column", markup=False)
        screen.redraw()

    screen.app.push_screen(Ask("Search a word", [("Part of a row's or column's token", "")]), find)


def go_to_match(screen: "MapScreen", step: int) -> None:
    """Go to the next match (or with -1 the previous, with 0 the first)."""
    matches = screen.matches
    screen.match = (screen.match + step) % len(matches) if step else 0
    side, place = matches[screen.match]
    state = screen.state
    screen.go(*((place, state.column) if side == "row" else (state.row, place)))


def explain(screen: "MapScreen") -> None:
    """Show how the cell under the cursor came about."""
    from dlcc.cli.tui.screens.cell import cell_story

    screen.app.push_screen(Read("How this cell came about", cell_story(screen.state)))


def overview(screen: "MapScreen") -> None:
    """Show all heads, and open the one that is chosen."""
    from dlcc.cli.tui.screens.overview import OverviewScreen

    def opened(choice: Choice | None) -> None:
        if choice is not None:
            screen.choose(choice)

    body = screen.body
    screen.app.push_screen(OverviewScreen(screen.state, body.palette, body.system), opened)


def beside(screen: "MapScreen") -> None:
    """Show several maps side by side."""
    from dlcc.cli.tui.screens.beside import BesideScreen

    def opened(choice: Choice | None) -> None:
        if choice is not None:
            screen.choose(choice)

    body = screen.body
    screen.app.push_screen(BesideScreen(screen.state, body.palette, body.system), opened)


def subtract(screen: "MapScreen") -> None:
    """Choose a map to subtract, or show the map itself again."""
    state = screen.state
    if state.minus is not None:
        state.minus = None
        screen.redraw()
        return

    def chosen(minus: Choice | None) -> None:
        if minus is not None:
            state.minus = minus
            screen.redraw()

    options = [(state.title_of(choice), choice) for choice in state.comparable()]
    screen.app.push_screen(Choose(f"Subtract from {state.shown.title}", options), chosen)


def choose_alternative(screen: "MapScreen") -> None:
    """Choose another word at the cursor's row, and have the rest translated again."""
    state, trace = screen.state, screen.state.trace
    step = state.shown.queries[state.row][0]
    options = [
        (f"{probability:.3f}  {display(word)}", word)
        for word, probability in info.alternatives(trace, step)
    ]

    def chosen(word: str | None) -> None:
        again = state.again
        if word is not None and again is not None:
            screen.app.compute(  # type: ignore[attr-defined]
                f"Going on from {display(word)}",
                lambda: again(trace, step, word),
                lambda traces: replace_trace(screen, traces),
            )

    title = f"In place of {display(trace.query[step])}"
    screen.app.push_screen(Choose(title, options), chosen)


def replace_trace(screen: "MapScreen", traces: list[AttentionTrace]) -> None:
    """Show new traces in the place of the frame's, unless something else was opened meanwhile."""
    if screen in screen.app.screen_stack:
        screen.state.replace_traces(traces)
        screen.redraw()


def explanations(screen: "MapScreen") -> None:
    """Show the explanations that the trace holds side by side."""
    from dlcc.cli.tui.screens.explanations import ExplanationsScreen

    body = screen.body
    screen.app.push_screen(ExplanationsScreen(screen.state, body.palette, body.system))


def cutmix(screen: "MapScreen") -> None:
    """Show the two pictures that a mixed one came from."""
    from dlcc.cli.tui.screens.mixed import MixedScreen

    body = screen.body
    screen.app.push_screen(MixedScreen(screen.state, body.palette, body.system))


def table(screen: "MapScreen") -> None:
    """Show the map in words."""
    screen.app.push_screen(Read("The map in words", info.table(screen.state.shown)))


def save(screen: "MapScreen") -> None:
    """Ask for a file and save the frame's traces."""
    traces = screen.state.traces
    name = _free("attention.trace")
    _write(screen, "Save the traces", name, lambda path: save_traces(path, traces))


def export_view(screen: "MapScreen") -> None:
    """Ask for a file and export the view as it is shown."""

    def write(path: Path) -> None:
        from dlcc.cli.tui.export import export_shown

        export_shown(path, screen.state, screen.body.grid.cell_width)

    title = "Export the view: .svg, .html, .csv, .json or .txt"
    _write(screen, title, _free("attention.svg"), write)


def _free(name: str) -> str:
    """`name`, with a number where there is such a file already."""
    path, number = Path(name), 2
    while path.exists():
        path, number = Path(name).with_stem(f"{Path(name).stem}-{number}"), number + 1
    return str(path)


def _write(screen: "MapScreen", title: str, name: str, write: Any) -> None:
    def chosen(answer: list[str] | None) -> None:
        if not answer or not answer[0].strip():
            return
        path = Path(answer[0].strip()).expanduser()
        try:
            write(path)
        except DlccError as error:
            screen.app.fail(error)  # type: ignore[attr-defined]
            _write(screen, title, str(path), write)
        else:
            screen.notify(f"Written: {path}", markup=False)

    screen.app.push_screen(Ask(title, [("File", name)]), chosen)


def copy_cell(screen: "MapScreen") -> None:
    """Put the cell on the clipboard: query, key and weight."""
    state, shown = screen.state, screen.state.shown
    value = float(shown.values[state.row, state.column])
    _copy(
        screen, f"{shown.row_labels[state.row]}\t{shown.column_labels[state.column]}\t{value:.6g}"
    )


def copy_row(screen: "MapScreen") -> None:
    """Put the row on the clipboard: a line of keys and one of weights."""
    shown, row = screen.state.shown, screen.state.row
    heading = "\t".join(["", *shown.column_labels])
    numbers = "\t".join(f"{value:.6g}" for value in shown.values[row].tolist())
    _copy(screen, f"{heading}\n{shown.row_labels[row]}\t{numbers}")


def show_command(screen: "MapScreen") -> None:
    """Show the command that reproduces the view, and copy it."""
    command = commands.reproducing(screen.state)
    screen.app.copy_to_clipboard(command)
    screen.app.push_screen(Read("The command that reproduces this view (copied)", command))


def _copy(screen: "MapScreen", text: str) -> None:
    screen.app.copy_to_clipboard(text)
    screen.notify(f"Copied: {text.splitlines()[-1][:60]}", markup=False)
