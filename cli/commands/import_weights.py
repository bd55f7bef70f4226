"""`dlcc import`: attention weights that another program kept, as a trace."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import FileOptions, Json, Tui, at_most_one


def import_weights(
    weights: Annotated[
        Path,
        typer.Argument(
            help="A .npy, .npz or .safetensors file of [queries, keys], [heads, queries, keys] or "
            "[layers, heads, queries, keys]; several arrays of one layer each become the layers of "
            "one trace.",
            metavar="FILE",
        ),
    ],
    tokens: Annotated[
        Path | None,
        typer.Option(
            help="The tokens, one a line or a JSON list; left out, positions are numbered.",
            metavar="FILE",
        ),
    ] = None,
    key_tokens: Annotated[
        Path | None,
        typer.Option(
            "--key-tokens", help="Those of the keys, where they are others.", metavar="FILE"
        ),
    ] = None,
    array: Annotated[
        list[str] | None,
        typer.Option(help="Which arrays, in this order; all when left out.", metavar="NAME"),
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Divide each row by its sum.")
    ] = False,
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
) -> None:
    """Make a trace of attention weights that another program kept.

    On a terminal the viewer opens, unless the trace is saved or exported; in a pipe it is printed.

    Examples:
        dlcc import weights.npz --tokens tokens.txt
        dlcc import weights.npy --tokens words.json --save mine.trace
    """
    from dlcc.cli.console import print_results
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.draw.numbers import traces_as_json
    from dlcc.cli.tui.app import is_interactive, view_traces
    from dlcc.core.trace.arrays import read_tokens, read_weights, traces_of

    at_most_one(json=json_output, tui=tui)
    figure = output if output.export else replace(output, title="")  # else it is the trace's alone
    files = Files(**vars(figure))
    traces = traces_of(
        read_weights(weights, array or ()),
        [] if tokens is None else read_tokens(tokens),
        [] if key_tokens is None else read_tokens(key_tokens),
        title=output.title or weights.stem,
        normalise=normalise,
        origin={"imported": str(weights)},
    )
    files.write(traces)
    if json_output:
        print_results(traces_as_json(traces))
    elif tui or (sys.stdin.isatty() and is_interactive() and not files.wanted):
        view_traces(traces)
    elif not files.wanted:
        for trace in traces:
            for layer in range(trace.num_layers):
                print_grids([trace], layer=layer)
