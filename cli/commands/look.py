"""`dlcc look`: attention from any source or model, one of the program's own or a stranger's."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import (
    Ablate,
    Device,
    FileOptions,
    Json,
    Numbers,
    Palette,
    Tui,
    Words,
    at_most_one,
    check_map,
)

if TYPE_CHECKING:
    from dlcc.core.sources import Source
    from dlcc.core.trace.trace import AttentionTrace


def look(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Where the attention comes from: a source, a model's folder or its name on the "
            "hub; left out, the sources are listed.",
            metavar="SOURCE|MODEL",
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Argument(
            help="What a source asks for, in order; its examples stand in for those left out. For "
            "a model one or two texts, with another model before them both, side by side.",
            metavar="ANSWER|TEXT",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(help="Which one to show, from 1; the last when left out.")
    ] = None,
    head: Annotated[
        int | None, typer.Option(help="Which one to show, from 1; all when left out.")
    ] = None,
    numbers: Numbers = False,
    palette: Palette = "viridis",
    generate: Annotated[
        int, typer.Option(help="Have a model write on, so many tokens; a row each.", min=0)
    ] = 0,
    chat: Annotated[
        bool, typer.Option("--chat", help="Put the text into a model's chat template.")
    ] = False,
    hide_sinks: Annotated[
        bool,
        typer.Option(
            "--hide-sinks", help="Leave out a first token that takes most of the attention."
        ),
    ] = False,
    words: Words = None,
    ablate: Ablate = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Download nothing; as HF_HUB_OFFLINE=1.")
    ] = False,
    list_in: Annotated[
        str | None,
        typer.Option("--list", help="List the models of a folder, or of hub-cache.", metavar="DIR"),
    ] = None,
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Look at attention from any source, one of a package of yours too.

    Of a model the mean of a layer's heads is printed and drawn, in words; --save, --json and an
    export to .html, .csv or .json hold all heads and the model's own tokens. A package offers a
    source by an entry point of the group dlcc.sources.

    Examples:
        dlcc look
        dlcc look translate "I bought a book." --export a.svg
        dlcc look FOLDER "The teacher praised a student"
        dlcc look FOLDER "The cat" --generate 8 --tui
        dlcc look BASE TUNED "The cat sat" --tokens
        dlcc look FOLDER "The cat sat on the" --ablate heads
        dlcc look --list hub-cache
    """
    from dlcc.cli.console import print_results
    from dlcc.cli.draw.export import FIGURES, Files
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.draw.numbers import traces_as_json
    from dlcc.cli.draw.palette import PALETTES, chosen_palette
    from dlcc.core import sources
    from dlcc.core.errors import UsageError
    from dlcc.core.trace.maps import by_word, has_pieces, mean_of_heads

    at_most_one(json=json_output, tui=tui)
    if list_in is not None:
        _list_models(list_in, json_output)
        return
    if name is None:
        _list(json_output)
        return
    colours = chosen_palette(palette)
    files = Files(**vars(output))
    maker: Source | None = None
    if name in sources.names() or not _names_model(name):
        if generate or chat or hide_sinks or offline or ablate or words is not None:
            raise UsageError(f"{name} is a source: only models are told how to read and write")
        traces = sources.traces_of(name, answers or [])
    else:
        from dlcc.core.huggingface.source import HuggingFaceSource

        maker = HuggingFaceSource(generate=generate, chat=chat, device=device, offline=offline)
        maker.options = {k: v for k, v in maker.options.items() if v and v != "auto"}
        traces = _looked_at(maker, name, answers or [], hide_sinks, json_output)
    if maker is not None and ablate is not None:
        _ablate(ablate, maker, traces, json_output)
        return
    for trace in traces:
        check_map(trace.weights.shape, layer, head)
    numbered = traces
    if maker is not None and words:
        numbered = [by_word(trace) for trace in traces]
    shown, place = numbered, (layer, head)
    if maker is not None and words is None:
        shown = [by_word(trace) if has_pieces(trace) else trace for trace in traces]
    if maker is not None and head is None:
        shown = [mean_of_heads(trace, layer or trace.num_layers) for trace in shown]
        place = (1, 1)
    if output.export is not None and output.export.suffix.lower() in (*FIGURES, ".txt"):
        files.write(shown, colours, numbers, *place, to_save=numbered)
    else:
        files.write(numbered, colours, numbers, layer, head)
    if json_output:
        print_results(traces_as_json(numbered))
    elif tui:
        from dlcc.cli.tui.app import view_traces

        layer, head = layer or traces[0].num_layers, head or 1
        view_traces(traces, maker, layer=layer, head=head, words=words)
    else:
        layer, head = place
        for signed in (False, True):
            some = [trace for trace in shown if (trace.kind == "combined") is signed]
            chosen = PALETTES["signed"] if signed else colours
            if some:
                heads = None if head is None else [head - 1]
                print_grids(some, chosen, numbers, (layer or 0) - 1, heads)


def _names_model(name: str) -> bool:
    from dlcc.core.huggingface.loading import is_model

    return is_model(name)


def _looked_at(
    maker: Any, name: str, answers: list[str], hide_sinks: bool, as_json: bool
) -> "list[AttentionTrace]":
    """The traces of a model on a text, or of two models with their difference."""
    from dlcc.cli.console import note, put
    from dlcc.core.errors import UsageError
    from dlcc.core.huggingface.loading import is_model
    from dlcc.core.huggingface.source import differences, sink_of, without_sink

    names, texts = [name], answers
    if len(answers) > 1 and " " not in answers[0] and is_model(answers[0]):
        names, texts = [name, answers[0]], answers[1:]
    if len(texts) > 2:
        raise UsageError(f"{len(texts)} texts: give one or two, in quotes")
    texts = texts or [maker.asks[1].example]
    made = [maker.traces(each, *texts) for each in names]
    for trace in (trace for traces in made for trace in traces):
        for each in trace.details.get("notes", ()):
            note(each)
        sink = sink_of(trace)
        if sink and not hide_sinks:
            note(f"{trace.key[0]!r} takes {sink:.0%} of the attention: --hide-sinks leaves it out")
    if hide_sinks:
        made = [[without_sink(t) if sink_of(t) else t for t in traces] for traces in made]
    if "written" in made[0][0].details:
        note(f"written: {made[0][0].details['written']}")
    _say_guesses(made[0][0], note if as_json else put)
    both = [trace for traces in made for trace in traces]
    if len(made) > 1:
        found = differences(*made)
        if not found:
            note("no difference: the models cut the text otherwise, or have other layers or heads")
        both += found
    return both


def _ablate(what: str, maker: Any, traces: "list[AttentionTrace]", as_json: bool) -> None:
    """Print what becomes of each model's answer without each of its heads."""
    from dlcc.cli.commands.ablate import ablated, check_ablate
    from dlcc.core.trace.trace import AttentionTrace

    check_ablate(what)
    asked = [
        (str(trace.made_by["asked"][1]), partial(list[AttentionTrace], [trace]))
        for trace in traces
        if trace.made_by  # a difference of two models was made by none
    ]
    ablated(maker, asked, as_json, model_name=str(traces[0].made_by["asked"][0]))


def _say_guesses(trace: "AttentionTrace", put: Any) -> None:
    """What stands most probably in place of each mask."""
    if "written" in trace.details:
        return
    for token, row in zip(trace.query, trace.details.get("alternatives", ()), strict=False):
        if row:
            put(f"{token}: " + ", ".join(f"{word} {share:.2f}" for word, share in row[:5]))


def _list_models(where: str, as_json: bool) -> None:
    """Print the models of a folder or of the hub's cache, and why one cannot be looked at."""
    from dlcc.cli.console import note, print_results, put
    from dlcc.core.huggingface.loading import hub_cache, listed

    found = listed(hub_cache() if where == "hub-cache" else Path(where).expanduser())
    if as_json:
        print_results(found)
        return
    if not found:
        note("no model there")
    width = max((len(each["name"]) for each in found), default=0)
    for each in found:
        put(f"{each['name']:{width}}  {each['error'] or each['type'] + ': ' + each['answers']}")


def _list(as_json: bool) -> None:
    """Print what sources there are, and what they ask for."""
    from dlcc.cli.console import print_results, put
    from dlcc.core import sources
    from dlcc.core.errors import DlccError

    found: list[dict[str, Any]] = []
    for name in sources.names():
        try:
            source = sources.source(name)
        except DlccError as error:
            found.append({"name": name, "error": " ".join(str(error).split())})
        else:
            asks = [{"label": label, "example": example} for label, example, _ in source.asks]
            found.append({"name": name, "title": source.title, "asks": asks})
    if as_json:
        print_results(found)
        return
    width = max(len(each["name"]) for each in found)
    for each in found:
        put(f"{each['name']:{width}}  {each.get('title') or each['error']}")
        for ask in each.get("asks", ()):
            put(f"{'':{width}}    {ask['label']}" + (f": {ask['example']}" * bool(ask["example"])))
