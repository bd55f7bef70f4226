"""`dlcc view`: the viewer, on a saved trace, on a run folder, or on its start screen."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import Debug, Quiet

if TYPE_CHECKING:
    from dlcc.cli.tui.app import ViewerActions
    from dlcc.core.trace import AttentionTrace


def view(
    trace: Annotated[
        Path | None,
        typer.Argument(help="A trace saved with --save, or a run folder.", metavar="[TRACE]"),
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
    quiet: Quiet = False,
    debug: Debug = False,
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
        viewer.view(None, _actions())
        return
    state = state_of(trace, map_name, minus, epoch, scale, palette)
    state.regroup(words=words, hide_special=hide_special)
    viewer.view(state, _actions())


def _actions() -> "ViewerActions":
    from dlcc.cli.tui.app import ViewerActions

    return ViewerActions(attend=_attend)


def _attend(query: str, key: str, mechanism: str) -> "list[AttentionTrace]":
    """Attend with the bundled vectors, by one mechanism or by all; an empty key is the query."""
    from dlcc.core.embeddings import look_up
    from dlcc.core.sentences import MECHANISMS, AttendConfig, attend, tokenise

    key = key or query
    queries, keys = tokenise(query), tokenise(key)
    vectors = look_up([*queries, *keys]).vectors
    sides = (queries, vectors[: len(queries)]), (keys, vectors[len(queries) :])
    traces = []
    for name in MECHANISMS if mechanism == "all" else (mechanism,):
        command = f"dlcc attend {shlex.quote(query)} {shlex.quote(key)} --mechanism {name}"
        traces.append(attend(*sides, AttendConfig(name), made_by={"command": command}))
    return traces
