"""`dlcc view`: the viewer, on a saved trace, on a run folder, or on its start screen."""

from pathlib import Path
from typing import Annotated

import typer


def view(
    trace: Annotated[
        Path | None,
        typer.Argument(help="A trace saved with --save, or a run folder.", metavar="TRACE"),
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
    epoch: Annotated[int, typer.Option(help="Which saved epoch, from 1.", min=1)] = 1,
    words: Annotated[bool, typer.Option("--words", help="Merge subwords into words.")] = False,
    hide_special: Annotated[
        bool, typer.Option("--hide-special", help="Hide special tokens, renormalise the rest.")
    ] = False,
    scale: Annotated[str, typer.Option(help="Colour scale: map, row or clipped.")] = "map",
    palette: Annotated[str, typer.Option(help="viridis, cividis, grey or glyphs.")] = "viridis",
) -> None:
    """Look at attention in the terminal, with the keyboard.

    Without TRACE a start screen offers sentences, files and demos. In a pipe the map is printed.
    """
    from dlcc.cli.tui import app as viewer
    from dlcc.cli.tui.opening import state_of
    from dlcc.core.errors import UsageError

    if trace is None:
        if not viewer.is_interactive():
            raise UsageError("no terminal to draw on: name a trace, as in dlcc view FILE.trace")
        viewer.view(None)
        return
    state = state_of(trace, map_name, minus, epoch, scale, palette)
    state.regroup(words, hide_special)
    viewer.view(state)
