"""`dlcc attend`: attention on one or two sentences with word vectors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli import attend_train
from dlcc.cli.options import Debug, Export, Json, Quiet, Save, Seed, settings

if TYPE_CHECKING:
    from dlcc.core.embeddings import Progress, WordVectors
    from dlcc.core.sentences import AttendConfig
    from dlcc.core.trace import AttentionTrace
    from dlcc.core.trained import TrainedAttention

app = typer.Typer(help="Attention from scratch on one or two sentences.")
app.command("train")(attend_train.train)

_NAMED = 8  # words without a vector, at most, in the warning


@app.command("run", hidden=True)
def attend(
    query: Annotated[
        str | None,
        typer.Argument(help="The sentence that asks; - reads it from stdin.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Argument(help="The sentence that is asked: QUERY itself when left out."),
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
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            help="A GloVe or word2vec text file, plain, .gz or .zip, for the bundled vectors.",
            metavar="FILE",
        ),
    ] = None,
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
    from dlcc.cli.palette import PALETTES
    from dlcc.core.errors import UsageError

    palettes = [name for name, colours in PALETTES.items() if not colours.signed]
    if palette not in palettes:
        raise UsageError(f"--palette {palette}: choose from {', '.join(palettes)}")
    if export is not None:
        from dlcc.cli.export import check_ending

        check_ending(export)
    trained = _load(load)
    configs = _configs(mechanism, heads, not no_scale, temperature, mask, seed, trained)
    traces = _traces(query, key, configs, embeddings, trained, load)
    cell = None if explain is None else _find_cell(explain, traces[0])
    if save is not None:
        from dlcc.core.trace import save_traces

        save_traces(save, traces)
    if export is not None:
        from dlcc.cli.export import export as write

        write(export, traces, PALETTES[palette], numbers)
    if json_output:
        _print_json(traces, cell)
    elif cell is not None:
        _print_explanations(traces, cell)
    elif not tui:
        _print_grids(traces, palette, numbers)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces)


def _load(name: str | None) -> "TrainedAttention | None":
    if name is None:
        return None
    from dlcc.core.trained import load_trained

    return load_trained(name)


def _configs(
    names: list[str] | None,
    heads: int | None,
    scaled: bool,
    temperature: float,
    mask: str,
    seed: int,
    trained: "TrainedAttention | None",
) -> "list[AttendConfig]":
    from dlcc.core.errors import UsageError
    from dlcc.core.sentences import MECHANISMS, AttendConfig

    mechanisms = [part for name in names or () for part in name.split(",") if part]
    if "all" in mechanisms:
        mechanisms = list(MECHANISMS)
    if not mechanisms:
        mechanisms = ["dot"] if trained is None else list(trained.mechanisms)
    if heads is not None and "multihead" not in mechanisms:
        raise UsageError(f"--heads {heads}: only with --mechanism multihead")
    if not scaled and mechanisms == ["additive"]:
        raise UsageError("--no-scale: additive attention has no √D to leave out")
    return [
        AttendConfig(name, 2 if heads is None else heads, scaled, temperature, mask, seed)
        for name in dict.fromkeys(mechanisms)
    ]


def traces_of(query: str, key: str | None, mechanisms: list[str]) -> "list[AttentionTrace]":
    """Attention with the bundled vectors and everything else as it is by default."""
    configs = _configs(mechanisms, None, True, 1.0, "none", 0, None)
    return _traces(query, key, configs, None, None, None)


def _traces(
    query: str | None,
    key: str | None,
    configs: "list[AttendConfig]",
    embeddings: Path | None,
    trained: "TrainedAttention | None",
    load: str | None,
) -> "list[AttentionTrace]":
    from dlcc.cli.screen import note, warn
    from dlcc.core import sentences
    from dlcc.core.embeddings import look_up
    from dlcc.core.errors import DataError
    from dlcc.core.trained import prepare

    if query is None:
        query, key = sentences.BOOK_QUERY, sentences.BOOK_KEY
    texts = [_read(sentence) for sentence in (query, key) if sentence is not None]
    asks, asked = sentences.tokenise(texts[0]), sentences.tokenise(texts[-1])
    with reading(embeddings) as progress:
        words = look_up(asks + asked, embeddings, progress)
    _warn_missing(words, configs)
    if trained is not None and trained.about.get("embeddings", words.source) != words.source:
        warn(f"--load {load} was trained with {trained.about['embeddings']}, not {words.source}")
    untrained = []
    traces = []
    for config in configs:
        vectors, weights = words.vectors, None
        if trained is not None and config.mechanism != "dot":
            if config.mechanism not in trained.mechanisms:
                held = ", ".join(trained.mechanisms)
                raise DataError(f"--load {load}: it holds {held}, no {config.mechanism}")
            if trained.centre.shape != vectors.shape[1:]:
                raise DataError(
                    f"--load {load}: made for vectors of width {len(trained.centre)}, these have "
                    f"{vectors.shape[1]}; use the embeddings that it was trained with"
                )
            vectors, weights = (
                prepare(vectors, trained.centre),
                trained.mechanisms[config.mechanism],
            )
        elif config.mechanism != "dot":
            untrained.append(config.mechanism)
        sides = (asks, vectors[: len(asks)]), (asked, vectors[len(asks) :])
        made_by = _made_by(texts, config, embeddings, load if weights is not None else None)
        traces.append(sentences.attend(*sides, config, weights, made_by))
    if untrained:
        note(
            f"{', '.join(untrained)}: untrained, with weights drawn from the seed. For trained "
            "ones: --load relations, or dlcc attend train --save FILE and --load FILE"
        )
    return traces


def _made_by(
    texts: list[str], config: "AttendConfig", embeddings: Path | None, load: str | None
) -> dict[str, object]:
    from dataclasses import asdict
    from importlib.metadata import version

    from dlcc.core.embeddings import BUNDLED

    made: dict[str, object] = {
        "command": _command(texts, config, embeddings, load),
        **asdict(config),
        "embeddings": BUNDLED if embeddings is None else embeddings.name,
        "versions": {name: version(name) for name in ("dlcc", "numpy")},
    }
    return made | {"trained": load} if load else made


def _command(
    texts: list[str], config: "AttendConfig", embeddings: Path | None, load: str | None
) -> str:
    """The command line that gives one trace again; what is left at its default is left out."""
    import shlex

    from dlcc.core.sentences import AttendConfig

    usual = AttendConfig(config.mechanism)
    parts = ["dlcc", "attend", *texts, "--mechanism", config.mechanism]
    parts += [] if config.scaled else ["--no-scale"]
    options = {
        "--heads": (config.num_heads, usual.num_heads),
        "--temperature": (config.temperature, usual.temperature),
        "--mask": (config.mask, usual.mask),
        "--seed": (config.seed, usual.seed),
        "--embeddings": (embeddings, None),
        "--load": (load, None),
    }
    for option, (value, default) in options.items():
        parts += [] if value == default else [option, str(value)]
    return shlex.join(parts)


def _read(sentence: str) -> str:
    import sys

    return sys.stdin.read() if sentence == "-" else sentence


@contextmanager
def reading(path: Path | None) -> "Iterator[Progress | None]":
    """A progress bar on stderr for reading `path`, where there is a terminal and no --quiet."""
    from dlcc.cli.screen import stderr

    console = stderr()
    if path is None or settings.quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"reading {path.name}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _warn_missing(words: "WordVectors", configs: "list[AttendConfig]") -> None:
    from dlcc.cli.screen import warn

    if not words.missing:
        return
    named = ", ".join(repr(word) for word in words.missing[:_NAMED])
    more = len(words.missing) - _NAMED
    text = f"no vector for {named}" + (f" and {more} more" if more > 0 else "")
    text += f" in {words.source}: taken as zeros."
    mechanisms = {config.mechanism for config in configs}
    if mechanisms & {"dot", "trainable"}:
        text += (
            " As a query such a word scores 0 with every key, so that its row is even; as a key "
            "it scores 0 with every query, which still draws weight."
        )
    if mechanisms & {"additive", "multihead"}:
        text += " In additive and multi-head attention the biases alone speak for it."
    warn(text)


def _find_cell(text: str, trace: "AttentionTrace") -> tuple[int, int]:
    """The cell that `she:her` or `7:8` (positions from 1) names."""
    from dlcc.cli.screen import note
    from dlcc.core.errors import UsageError

    for place, character in enumerate(text):
        if character != ":":
            continue
        pair = (text[:place], trace.query), (text[place + 1 :], trace.key)
        found = [_positions(word, tokens) for word, tokens in pair]
        if all(found):
            for (word, _), positions in zip(pair, found, strict=True):
                if len(positions) > 1:
                    places = ", ".join(str(n + 1) for n in positions)
                    note(f"{word!r} stands at {places}: the first is taken; name one by position")
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


def _print_json(traces: "list[AttentionTrace]", cell: tuple[int, int] | None) -> None:
    import json

    from dlcc.cli.explanation import cell_as_json
    from dlcc.cli.export import traces_as_json

    result = traces_as_json(traces)
    if cell is not None:
        for trace, values in zip(traces, result["traces"], strict=True):
            values["explanation"] = [cell_as_json(trace, n, *cell) for n in range(trace.num_heads)]
    print(json.dumps(result, ensure_ascii=False))


def _print_explanations(traces: "list[AttentionTrace]", cell: tuple[int, int]) -> None:
    from dlcc.cli.explanation import explanation
    from dlcc.cli.screen import stdout

    console = stdout()
    for number, trace in enumerate(traces):
        for head in range(trace.num_heads):
            if number or head:
                console.print()
            console.print(explanation(trace, 0, head, *cell))


def _print_grids(traces: "list[AttentionTrace]", palette: str, numbers: bool) -> None:
    from dlcc.cli.palette import PALETTES, color_system
    from dlcc.cli.render import GridStyle, grid_lines, side_by_side
    from dlcc.cli.screen import stdout

    console = stdout()
    top = max(float(trace.weights.max()) for trace in traces)  # one scale for all of them
    style = GridStyle(PALETTES[palette], color_system(console), numbers, console.width, top)
    grids = [
        grid_lines(trace, 0, head, style) for trace in traces for head in range(trace.num_heads)
    ]
    console.print(side_by_side(grids, console.width))
