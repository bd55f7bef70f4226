"""`dlcc look`: attention from any source, one of the program's own or a stranger's."""

from typing import Annotated, Any

import typer

from dlcc.cli.options import Export, Json, Save, at_most_one, check_map


def look(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Where the attention comes from; left out, the sources are listed.",
            metavar="SOURCE",
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Argument(
            help="What it asks for, in order; its examples stand in for those left out.",
            metavar="ANSWER",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(help="Which one to show, from 1; the last when left out.")
    ] = None,
    head: Annotated[
        int | None, typer.Option(help="Which one to show, from 1; all when left out.")
    ] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Print the weights.")] = False,
    palette: Annotated[
        str, typer.Option("--palette", help="viridis, cividis or grey.", metavar="NAME")
    ] = "viridis",
    tui: Annotated[bool, typer.Option("--tui", help="Open the viewer.")] = False,
    save: Save = None,
    export_to: Export = None,
    json_output: Json = False,
) -> None:
    """Look at attention from any source, one of a package of yours too.

    A package offers a source by an entry point of the group dlcc.sources.
    """
    from dlcc.cli.console import print_json
    from dlcc.cli.draw.export import check_ending, export, keep, traces_as_json
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.core import sources

    at_most_one(json=json_output, tui=tui)
    if name is None:
        _list(json_output)
        return
    colours = chosen_palette(palette)
    if export_to is not None:
        check_ending(export_to)
    traces = sources.traces_of(name, answers or [])
    for trace in traces:
        check_map(trace.weights.shape, layer, head)
    keep(traces, save, export_to, lambda path: export(path, traces, colours, numbers))
    if json_output:
        print_json(traces_as_json(traces))
    elif tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, layer=layer or traces[0].num_layers, head=head or 1)
    else:
        print_grids(
            traces, colours, numbers, (layer or 0) - 1, None if head is None else [head - 1]
        )


def _list(as_json: bool) -> None:
    """Print what sources there are, and what they ask for."""
    from dlcc.cli.console import print_json, put
    from dlcc.core import sources
    from dlcc.core.errors import DlccError

    found: list[dict[str, Any]] = []
    for name in sources.names():
        try:
            source = sources.source(name)
        except DlccError as error:
            found.append({"name": name, "error": " ".join(str(error).split())})
        else:
            asks = [{"label": label, "example": example} for label, example in source.asks]
            found.append({"name": name, "title": source.title, "asks": asks})
    if as_json:
        print_json(found)
        return
    width = max(len(each["name"]) for each in found)
    for each in found:
        put(f"{each['name']:{width}}  {each.get('title') or each['error']}")
        for ask in each.get("asks", ()):
            put(f"{'':{width}}    {ask['label']}" + (f": {ask['example']}" * bool(ask["example"])))
