"""`dlcc heads`: every attention head in numbers, of a saved trace or as a mean over many texts."""

import csv as csv_files
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Checkpoint, Device, Encoding, Json, Runner, at_most_one

if TYPE_CHECKING:
    from dlcc.core.trace.heads import Head
    from dlcc.core.trace.trace import AttentionTrace

_NAME = 30  # columns of a trace's name, at most
_Traces = Callable[[str], "list[AttentionTrace]"]


def heads(
    name: Annotated[
        str,
        typer.Argument(
            help="A trace saved with --save, a run, a source (attend, sentiment, translate, vit), "
            "or a model's folder or its name on the hub.",
            metavar="TRACE|SOURCE|MODEL",
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="What a source or model is given, text by text; pictures for vit.",
            metavar="TEXT",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A text a line; - reads stdin.", metavar="FILE"),
    ] = None,
    encoding: Encoding = None,
    pair: Annotated[
        str | None,
        typer.Option(
            help="Measure the weight of a pair too: she:her, or by position 7:8.",
            metavar="QUERY:KEY",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="entropy (sharpest first), diagonal, previous, next, special or pair (largest "
            "first); in the order of layers when left out.",
            metavar="MEASURE",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Heads to print.", min=1, metavar="N")] = None,
    checkpoint: Checkpoint = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the result as CSV.")] = False,
    json_output: Json = False,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Find a head: how widely each looks, and how much at itself, its neighbours, special tokens.

    Of several texts each figure is the mean over them. `map` is what dlcc view --map takes.

    Examples:
        dlcc heads chapter.trace --sort diagonal
        dlcc heads sentiment "A fine film." --pair fine:film --limit 5
        dlcc heads translate --file sentences.txt --sort entropy --csv
    """
    from dlcc.cli.console import note
    from dlcc.core.errors import UsageError
    from dlcc.core.settings import one_of
    from dlcc.core.trace.heads import MEASURES, heads_of, ranked

    at_most_one(json=json_output, csv=csv)
    if sort is not None:
        one_of(tuple(MEASURES)).ask(sort, "sort")
        if sort == "pair" and pair is None:
            raise UsageError("name one by --pair QUERY:KEY", "sort", sort)
    given = _given(texts or [], file, encoding)
    saved = _saved(name)
    if saved is not None:
        if given or checkpoint:
            raise UsageError(f"{name} is a saved trace: texts and --checkpoint go with a source")
        found, count = heads_of(saved, pair), 0
    else:
        found, count = _over(_maker(name, checkpoint, device, runner), given, pair)
    if sort is not None:
        found = ranked(found, sort)
        if math.isnan(found[0].values.get(sort, math.nan)):
            raise UsageError(
                "no head here has one: the diagonal and its neighbours are told of self-attention, "
                "special tokens where there are any",
                "sort",
                sort,
            )
    shown = found[:limit]
    _print(shown, count, csv, json_output)
    if len(shown) < len(found) and not json_output:
        note(f"{len(found) - len(shown)} further heads")


def _given(texts: list[str], file: Path | None, encoding: str | None) -> list[str]:
    """The texts of the command line or of a file, without empty lines."""
    from dlcc.core.errors import UsageError
    from dlcc.core.files.encodings import lines_of, readable
    from dlcc.core.files.paths import read_bytes

    if file is None:
        return [readable(text) for text in texts]
    if texts:
        raise UsageError("give TEXT or --file, not both")
    data = sys.stdin.buffer.read() if str(file) == "-" else read_bytes(file)
    lines = [line for line in lines_of(data, str(file), encoding) if line.strip()]
    if not lines:
        raise UsageError("it is empty: give a text a line", "file", file)
    return lines


def _saved(name: str) -> "list[AttentionTrace] | None":
    """The traces of a file, or of a run's best epoch; None where it is neither."""
    from dlcc.core import sources
    from dlcc.core.trace.values import read_traces

    path = Path(name)
    if name in sources.names():
        return None
    if path.is_file():
        return read_traces(path)
    if path.is_dir() and not (path / "config.json").is_file():
        from dlcc.cli.tui.opening import best_frame, frames_of

        return frames_of(path)[best_frame(path) - 1].traces
    return None


def _maker(name: str, checkpoint: Path | None, device: str, runner: str) -> _Traces:
    """What makes traces of one text, by a source or a model.

    Raises:
        UsageError: neither.
    """
    from dlcc.core import sources
    from dlcc.core.errors import DataError, UsageError
    from dlcc.core.sources import ModelSource

    if name in sources.names():
        source = sources.source(name)
        if isinstance(source, ModelSource):
            source = type(source)(checkpoint, device, runner=runner)
        elif checkpoint is not None:
            raise UsageError(f"{name} has none", "checkpoint", checkpoint)
        if not source.asks:
            raise UsageError(f"{name} asks for nothing: save its trace, and name that")
        make = getattr(source, "attention", source.traces)
        rest = ["" if ask.optional else ask.example for ask in source.asks[1:]]
        return lambda text: make(text, *rest)
    from dlcc.core.huggingface.loading import is_model
    from dlcc.core.huggingface.source import HuggingFaceSource

    if not is_model(name):
        raise DataError(
            f"{name} is no trace, source or model: name a file saved with --save, or one of "
            f"{', '.join(sources.names())}"
        )
    model = HuggingFaceSource(**({} if device == "auto" else {"device": device}))
    return lambda text: model.traces(name, text)


def _over(make: _Traces, texts: "Iterable[str]", pair: str | None) -> "tuple[list[Head], int]":
    """Each head's mean over texts, and how many these are; those that cannot be read are told."""
    from dlcc.cli.console import counting, warn
    from dlcc.core.errors import DlccError, UsageError
    from dlcc.core.trace.heads import Mean

    texts, mean = list(texts), Mean(pair)
    if not texts:
        raise UsageError("give TEXT, or --file FILE with a text a line")
    with counting("texts", len(texts)) as progress:
        for number, text in enumerate(texts, 1):
            try:
                mean.add(make(text))
            except DlccError as error:
                if len(texts) == 1:
                    raise
                warn(f"text {number}: {error}")
            progress(number, None)
    if not mean.texts:
        raise UsageError("no text could be read")
    return mean.heads(), mean.texts


def _print(found: "list[Head]", texts: int, csv: bool, as_json: bool) -> None:
    """A row a head; measures that none has are left out."""
    from rich.cells import cell_len
    from rich.text import Text

    from dlcc.cli.console import print_results, stdout
    from dlcc.cli.draw.labels import display, fit
    from dlcc.cli.draw.scores import table
    from dlcc.core.trace.heads import MEASURES

    measures = [
        name
        for name in MEASURES
        if any(not math.isnan(head.values.get(name, math.nan)) for head in found)
    ]
    if as_json:
        print_results((_as_json(head, measures) for head in found), texts=texts)
        return
    named = any(head.name for head in found)
    columns = ["map", *["of"] * named, *measures]
    rows = [
        [head.place, *[head.name] * named, *(_figure(head, name) for name in measures)]
        for head in found
    ]
    if csv:
        csv_files.writer(sys.stdout, lineterminator="\n").writerows([columns, *rows])
        return
    drawn = table(*columns)
    if named:
        drawn.columns[1].justify = "left"
    for row in rows:
        drawn.add_row(*(Text(fit(display(cell), min(cell_len(cell), _NAME))) for cell in row))
    console = stdout()
    if texts > 1:
        console.print(Text(f"mean over {texts:,} texts", "bold"))
    console.print(drawn)


def _as_json(head: "Head", measures: list[str]) -> dict[str, Any]:
    values = {name: head.values.get(name, math.nan) for name in measures}
    return {
        "map": head.place,
        "name": head.name,
        "trace": head.trace + 1,
        "layer": head.layer + 1,
        "head": head.head + 1,
        **values,
    }


def _figure(head: "Head", measure: str) -> str:
    value = head.values.get(measure, math.nan)
    return "" if math.isnan(value) else f"{value:.3f}"
