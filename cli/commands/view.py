"""`dlcc view`: the viewer, on a saved trace, on a run folder, or on its start screen."""

from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import Export, FigureTitle, Force, Theme


def view(
    traces: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A trace saved with --save, a run folder, or several runs.",
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
    words: Annotated[bool, typer.Option("--words", help="Merge subwords into words.")] = False,
    hide_special: Annotated[
        bool, typer.Option("--hide-special", help="Hide special tokens, renormalise the rest.")
    ] = False,
    scale: Annotated[
        str, typer.Option(help="Colour scale: shared, own, row, log or rank.")
    ] = "shared",
    palette: Annotated[str, typer.Option(help="viridis, cividis, grey or glyphs.")] = "viridis",
    as_what: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="map, text or picture; left out, a picture where there is one, and in the viewer "
            "a text of more than 12 tokens as text.",
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
    export_to: Export = None,
    theme: Theme = "paper",
    title: FigureTitle = "",
    force: Force = False,
) -> None:
    """Look at attention in the terminal, with the keyboard.

    Runs open on their curves, the best epoch chosen. Without TRACE a start screen offers sentences,
    files, runs and demos. In a pipe the map is printed. With --export nothing opens: it is written.
    """
    from dlcc.cli.console import note
    from dlcc.cli.draw.export import Files
    from dlcc.cli.tui import app as viewer
    from dlcc.cli.tui.export import seen_in
    from dlcc.cli.tui.opening import best_frame, choose_view, has_curves, state_of
    from dlcc.cli.tui.state import MAP, TEXT
    from dlcc.cli.tui.widgets import patches
    from dlcc.core.errors import UsageError

    if export_to is None and (word or numbers):
        raise UsageError("--word and --numbers are for a figure: add --export FILE")
    files = Files(None, export_to, theme, title, force)
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
    frame = best_frame(traces[0]) if epoch is None else epoch
    state = state_of(traces[0], map_name, minus, frame, scale, palette)
    state.regroup(words, hide_special)
    if export_to is not None:
        patches.begin(state)
        choose_view(state, as_what or (MAP if state.view == TEXT else None), word)
        seen_in(state, numbers).write(export_to, files.theme, files.title)
        note(f"wrote {export_to}")
        return
    choose_view(state, as_what, None)
    viewer.view(state)
