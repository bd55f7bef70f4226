"""`dlcc attend`: attention on one or two sentences with word vectors."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import (
    Embeddings,
    FileOptions,
    Json,
    Numbers,
    Palette,
    Seed,
    Tui,
    at_most_one,
)

if TYPE_CHECKING:
    from dlcc.core.attend.mechanisms import AttendConfig
    from dlcc.core.attend.source import Sentences
    from dlcc.core.attend.trained import TrainedAttention
    from dlcc.core.trace.trace import AttentionTrace

_NAMED = 8  # words without a vector, at most, in the warning


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
    numbers: Numbers = False,
    palette: Palette = "viridis",
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
    seed: Seed = 0,
) -> None:
    """Show what each word of QUERY looks at in KEY.

    Without arguments it shows the chapter's pair of sentences. One sentence attends to itself.

    Examples:
        dlcc attend
        dlcc attend "The cat sat on the mat"
        dlcc attend --mechanism dot,additive --numbers
        dlcc attend --explain she:her
        dlcc attend "france germany" "paris rome berlin" --mechanism trainable --load relations
        dlcc attend --export picture.svg --save chapter.trace
        dlcc attend --tui
    """
    from dlcc.cli.console import print_results, reading
    from dlcc.cli.draw.cell import print_cells
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.draw.numbers import traces_as_json
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.core.attend.source import read_sentences, traces_of
    from dlcc.core.attend.trained import load_trained

    at_most_one(json=json_output, tui=tui)
    colours = chosen_palette(palette)
    files = Files(**vars(output))
    trained = None if load is None else load_trained(load)
    configs = _configs(mechanism, heads, not no_scale, temperature, mask, seed, trained)
    texts = _texts(query, key)
    with reading(embeddings) as progress:
        sentences = read_sentences(texts, embeddings, progress)
    _warn(sentences, configs, trained, load)
    traces = traces_of(sentences, configs, trained, load)
    if trained is None:
        _note_untrained(configs)
    cell = None if explain is None else _find_cell(explain, traces[0])
    files.write(traces, colours, numbers)
    if json_output:
        print_results(traces_as_json(traces, cell))
    elif cell is not None:
        print_cells(traces, *cell)
    elif not tui:
        print_grids(traces, colours, numbers)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces)


def _texts(query: str | None, key: str | None) -> list[str]:
    """One or two sentences: the chapter's pair where none is given, stdin for -."""
    from dlcc.core.attend.mechanisms import BOOK_KEY, BOOK_QUERY

    given = [BOOK_QUERY, BOOK_KEY] if query is None else [query, *([] if key is None else [key])]
    return [sys.stdin.read() if text == "-" else text for text in given]


def _configs(
    names: list[str] | None,
    heads: int | None,
    scaled: bool,
    temperature: float,
    mask: str,
    seed: int,
    trained: "TrainedAttention | None",
) -> "list[AttendConfig]":
    """One configuration a mechanism, from the options as they were given."""
    from dlcc.core.attend.mechanisms import AttendConfig
    from dlcc.core.attend.source import mechanisms_of
    from dlcc.core.errors import UsageError

    usual = ["dot"] if trained is None else list(trained.mechanisms)
    mechanisms = mechanisms_of(names) if names else usual
    if heads is not None and "multihead" not in mechanisms:
        raise UsageError(f"--heads {heads}: only with --mechanism multihead")
    if trained is not None and mechanisms == ["dot"]:
        raise UsageError("--load: --mechanism dot has no weights to load")
    if not scaled and mechanisms == ["additive"]:
        raise UsageError("--no-scale: additive attention has no √D to leave out")
    return [
        AttendConfig(name, 2 if heads is None else heads, scaled, temperature, mask, seed)
        for name in mechanisms
    ]


def _warn(
    sentences: "Sentences",
    configs: "list[AttendConfig]",
    trained: "TrainedAttention | None",
    load: str | None,
) -> None:
    """Say which words have no vector, and whether the attention was trained with other ones."""
    from dlcc.cli.console import warn

    words, mechanisms = sentences.words, {config.mechanism for config in configs}
    if words.missing:
        named = ", ".join(repr(word) for word in words.missing[:_NAMED])
        more = len(words.missing) - _NAMED
        text = f"no vector for {named}" + (f" and {more} more" if more > 0 else "")
        text += f" in {words.source}: taken as zeros."
        if mechanisms & {"dot", "trainable"}:
            text += (
                " As a query such a word scores 0 with every key, so that its row is even; as a "
                "key it scores 0 with every query, which still draws weight."
            )
        if mechanisms & {"additive", "multihead"}:
            text += " In additive and multi-head attention the biases alone speak for it."
        warn(text)
    if trained is not None and trained.about.get("embeddings", words.source) != words.source:
        warn(f"--load {load} was trained with {trained.about['embeddings']}, not {words.source}")


def _note_untrained(configs: "list[AttendConfig]") -> None:
    from dlcc.cli.console import note

    untrained = [config.mechanism for config in configs if config.mechanism != "dot"]
    if untrained:
        note(
            f"{', '.join(untrained)}: untrained, with weights drawn from the seed. For trained "
            "ones: --load relations, or dlcc attend train --save FILE and --load FILE"
        )


def _find_cell(text: str, trace: "AttentionTrace") -> tuple[int, int]:
    """The cell that `she:her` or `7:8` (positions from 1) names."""
    from dlcc.cli.console import note
    from dlcc.core.errors import UsageError

    for place, character in enumerate(text):
        if character != ":":
            continue
        pair = (text[:place], trace.query), (text[place + 1 :], trace.key)
        found = [_positions(word, tokens) for word, tokens in pair]
        if all(found):
            sides = zip(("query", "key"), pair, found, strict=True)
            for side, (word, _), positions in sides:
                if len(positions) > 1:
                    places = ", ".join(str(n + 1) for n in positions)
                    note(
                        f"{word!r} stands at {places} of the {side}: the first is taken; name one "
                        "by position"
                    )
            return found[0][0], found[1][0]
    raise UsageError(
        f"--explain {text}: give QUERY:KEY, a word or position of each sentence; the query has "
        f"{_numbered(trace.query)}, the key {_numbered(trace.key)}"
    )


def _positions(word: str, tokens: tuple[str, ...]) -> list[int]:
    found = [n for n, token in enumerate(tokens) if token == word]
    found = found or [n for n, token in enumerate(tokens) if token.lower() == word.lower()]
    if not found and word.isdecimal() and 1 <= int(word) <= len(tokens):
        found = [int(word) - 1]
    return found


def _numbered(tokens: tuple[str, ...]) -> str:
    shown = " ".join(f"{n} {token}" for n, token in enumerate(tokens[:30], 1))
    return shown + (" ..." if len(tokens) > 30 else "")
