"""`dlcc attend`: attention on one or two sentences with word vectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.commands import attend_train
from dlcc.cli.groups import DEFAULT, DefaultCommand
from dlcc.cli.options import Debug, Embeddings, Export, Json, Quiet, Save, Seed, at_most_one

if TYPE_CHECKING:
    from dlcc.cli.draw.palette import Palette
    from dlcc.core.trace.trace import AttentionTrace

app = typer.Typer(help="Attention from scratch on one or two sentences.")
app.command("train")(attend_train.train)


@app.command(DEFAULT, cls=DefaultCommand, hidden=True)
def attend(
    query: Annotated[
        str | None,
        typer.Argument(
            help="The sentence that asks; - reads it from stdin.",
            metavar="QUERY",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Argument(
            help="The sentence that is asked: QUERY itself when left out.", metavar="KEY"
        ),
    ] = None,
    mechanism: Annotated[
        list[str] | None,
        typer.Option(
            "--mechanism",
            "-m",
            help="dot (the default), trainable, additive, multihead or all; several: dot,additive.",
            metavar="NAMES",
            show_default=False,
        ),
    ] = None,
    heads: Annotated[
        int | None,
        typer.Option("--heads", help="Heads of multihead; 2 unless given.", show_default=False),
    ] = None,
    no_scale: Annotated[
        bool, typer.Option("--no-scale", help="Do not divide dot products by √D.")
    ] = False,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Above 1 evens the weights out.")
    ] = 1.0,
    mask: Annotated[
        str, typer.Option("--mask", help="none, or causal: no look ahead.", metavar="NAME")
    ] = "none",
    embeddings: Embeddings = None,
    load: Annotated[
        str | None,
        typer.Option(
            "--load",
            help="A trained attention: relations (bundled), or a file of dlcc attend train.",
            metavar="NAME",
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            help="How one cell came about: she:her, or by position 7:8.",
            metavar="QUERY:KEY",
        ),
    ] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Print the weights.")] = False,
    palette: Annotated[
        str, typer.Option("--palette", help="viridis, cividis or grey.", metavar="NAME")
    ] = "viridis",
    tui: Annotated[bool, typer.Option("--tui", help="Open the viewer.")] = False,
    save: Save = None,
    export: Export = None,
    json_output: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what each word of QUERY looks at in KEY.

    Without arguments it shows the chapter's pair of sentences. One sentence attends to itself.

    See also: dlcc attend train --help
    """
    from dlcc.cli.commands.attend_traces import configs_of, find_cell, make_traces
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.cli.made_by import keep
    from dlcc.core.attend.trained import load_trained

    at_most_one(json=json_output, tui=tui)
    colours = chosen_palette(palette)
    if export is not None:
        from dlcc.cli.draw.export import check_ending

        check_ending(export)
    trained = None if load is None else load_trained(load)
    configs = configs_of(mechanism, heads, not no_scale, temperature, mask, seed, trained)
    traces = make_traces(query, key, configs, embeddings, trained, load)
    cell = None if explain is None else find_cell(explain, traces[0])
    keep(traces, save, export, lambda path: _export(path, traces, colours, numbers))
    if json_output:
        _print_json(traces, cell)
    elif cell is not None:
        _print_explanations(traces, cell)
    elif not tui:
        _print_grids(traces, colours, numbers)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces)


def _export(path: Path, traces: "list[AttentionTrace]", palette: "Palette", numbers: bool) -> None:
    from dlcc.cli.draw.export import export

    export(path, traces, palette, numbers)


def _print_json(traces: "list[AttentionTrace]", cell: tuple[int, int] | None) -> None:
    import json

    from dlcc.cli.draw.cell import cell_as_json
    from dlcc.cli.draw.export import traces_as_json

    result = traces_as_json(traces)
    if cell is not None:
        for trace, values in zip(traces, result["traces"], strict=True):
            values["explanation"] = [cell_as_json(trace, n, *cell) for n in range(trace.num_heads)]
    print(json.dumps(result, ensure_ascii=False))


def _print_explanations(traces: "list[AttentionTrace]", cell: tuple[int, int]) -> None:
    from dlcc.cli.console import stdout
    from dlcc.cli.draw.cell import explanation

    console = stdout()
    for number, trace in enumerate(traces):
        for head in range(trace.num_heads):
            if number or head:
                console.print()
            console.print(explanation(trace, 0, head, *cell))


def _print_grids(traces: "list[AttentionTrace]", palette: "Palette", numbers: bool) -> None:
    from dlcc.cli.console import stdout
    from dlcc.cli.draw.grid import GridStyle, grid_lines, side_by_side
    from dlcc.cli.draw.palette import color_system

    console = stdout()
    top = max(float(trace.weights.max()) for trace in traces)  # one scale for all of them
    style = GridStyle(palette, color_system(console), numbers, console.width, top)
    grids = [
        grid_lines(trace, 0, head, style) for trace in traces for head in range(trace.num_heads)
    ]
    console.print(side_by_side(grids, console.width))
