"""`dlcc view`: the viewer, on a saved trace, on a run folder, or on its start screen."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import FigureOptions, Words
from dlcc.core.errors import DataError

if TYPE_CHECKING:
    from dlcc.core.runner import Runner


def view(
    traces: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A trace saved with --save or printed by --json, - for one from stdin, a run "
            "folder, or several runs.",
            metavar="TRACE",
            show_default=False,
        ),
    ] = None,
    map_name: Annotated[
        str,
        typer.Option(
            "--map",
            help="Which map: trace, layer and head from 1, as in 1.2.3; "
            "the head may be mean, sum, max or rollout.",
            metavar="T.L.H",
        ),
    ] = "1.1.1",
    minus: Annotated[
        str | None, typer.Option(help="A map to subtract, as in --map.", metavar="T.L.H")
    ] = None,
    epoch: Annotated[
        int | None,
        typer.Option(help="Which saved epoch, from 1; a run's best when left out.", min=1),
    ] = None,
    words: Words = None,
    hide_special: Annotated[
        bool, typer.Option("--hide-special", help="Hide special tokens, renormalise the rest.")
    ] = False,
    scale: Annotated[
        str, typer.Option(help="Colour scale: shared, own, row, log or rank.", metavar="NAME")
    ] = "shared",
    palette: Annotated[
        str | None,
        typer.Option(
            help="viridis, cividis, grey or glyphs; left out, the last one, in a file viridis.",
            metavar="NAME",
            autocompletion=lambda: ["viridis", "cividis", "grey", "glyphs"],
        ),
    ] = None,
    as_what: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="map, text or picture; left out, a picture where there is one, and a text of "
            "more than 12 tokens as text.",
            metavar="NAME",
        ),
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(
            help="Of --export as text or picture: who asks, a token or its position from 1.",
            metavar="TOKEN",
        ),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Of --export: the weights in the map's cells.")
    ] = False,
    output: FigureOptions = FigureOptions(),
) -> None:
    """Look at attention in the terminal, with the keyboard.

    Runs open on their curves, the best epoch chosen. Without TRACE a start screen offers sentences,
    files, runs and demos. In a pipe the map is printed. With --export nothing opens: it is written.

    Examples:
        dlcc view
        dlcc view chapter.trace
        dlcc view chapter.trace --map 1.1.mean --palette grey
        dlcc view runs/mine --epoch 3 --minus 1.1.1
        dlcc view runs/mine runs/other
        dlcc view chapter.trace --export figure.pdf --as text --word she
        dlcc attend --json | dlcc view -
    """
    from dlcc.cli.console import note
    from dlcc.cli.draw.export import Files
    from dlcc.cli.tui import app as viewer
    from dlcc.cli.tui.export import seen_in
    from dlcc.cli.tui.opening import best_frame, choose_view, has_curves, state_of
    from dlcc.cli.tui.widgets import patches
    from dlcc.core.errors import UsageError

    if output.export is None and (word or numbers):
        raise UsageError("--word and --numbers are for a figure: add --export FILE")
    files, export_to = Files(**vars(output)), output.export
    if not traces:
        if export_to is not None:
            raise UsageError("name a trace, as in dlcc view FILE.trace", "export", export_to)
        if not viewer.is_interactive():
            raise UsageError("no terminal to draw on: name a trace, as in dlcc view FILE.trace")
        viewer.view(None)
        return
    is_chosen = epoch is not None or minus is not None or map_name != "1.1.1"
    draws = viewer.is_interactive() and export_to is None
    if draws and not is_chosen and all(map(has_curves, traces)):
        viewer.view(None, traces)
        return
    if len(traces) > 1:
        raise UsageError("several are compared by their curves, on a terminal: give runs alone")
    with _on_disk(traces[0]) as file:
        frame = best_frame(file) if epoch is None else epoch
        state = state_of(file, map_name, minus, frame, scale, palette)
    if file != traces[0]:  # nothing that could be named
        state.path = None
    state.regroup(state.words if words is None else words, hide_special)
    if export_to is not None:
        patches.begin(state)
        choose_view(state, as_what, word)
        said = seen_in(state, numbers).write(export_to, files.theme, files.title)
        note(f"wrote {export_to}")
        if said:
            note(said)
        return
    choose_view(state, as_what, None)
    viewer.view(state)


@contextmanager
def _on_disk(path: Path) -> Iterator[Path]:
    """The path, or for - a file that holds what stdin gives.

    Raises:
        DataError: as within, of stdin by its name.
    """
    if path != Path("-"):
        yield path
        return
    with TemporaryDirectory() as folder:
        file = Path(folder, "stdin")
        file.write_bytes(sys.stdin.buffer.read())
        try:
            yield file
        except DataError as error:
            raise DataError(str(error).replace(str(file), "stdin")) from error


def import_viewer(runner: "Runner", *functions: str) -> None:
    """Import the viewer while the functions that its first screen needs load in the background."""
    from dlcc.core.runner import OnnxRunner

    if isinstance(runner, OnnxRunner):
        runner.ahead(*functions)
    import dlcc.cli.tui.app  # noqa: F401
