"""`dlcc sentiment`: classify texts and say why."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import (
    Checkpoint,
    Device,
    Encoding,
    Export,
    FigureTitle,
    Force,
    Format,
    Json,
    Model,
    Runner,
    Save,
    SkipBadRows,
    Theme,
    at_most_one,
    check_map,
)

if TYPE_CHECKING:
    from dlcc.core.files.tables import TableConfig
    from dlcc.core.sentiment.classifier import Answer, Classifier
    from dlcc.core.sentiment.explain import Explained
    from dlcc.core.trace.trace import AttentionTrace


_BAR_FROM = 100  # texts
_FEW = 20  # texts that are explained unasked, and the most whose attention is shown


def sentiment(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts; - reads one from stdin.", metavar="TEXT", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            help="A text a line, a folder of .txt files, or a table: CSV, TSV, JSON, JSON lines or "
            "Parquet, packed or not.",
            metavar="PATH",
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="The table's column with the text.", metavar="NAME")
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    skip_bad_rows: SkipBadRows = False,
    checkpoint: Checkpoint = None,
    model: Model = None,
    faithful: Annotated[
        bool,
        typer.Option(
            "--faithfulness", help="Measure which explanation of these texts can be trusted."
        ),
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            help="Colour words by occlusion, gradient or rollout; or none.", metavar="METHOD"
        ),
    ] = None,
    long: Annotated[
        str,
        typer.Option(
            help="How texts beyond the model's length are read: windows (all of it) or ends.",
            metavar="HOW",
        ),
    ] = "windows",
    attention: Annotated[
        bool, typer.Option("--attention", help="Show the attention grid of --layer and --head.")
    ] = False,
    layer: Annotated[
        int | None, typer.Option(help="Of --attention or --tui, from 1; the last when left out.")
    ] = None,
    head: Annotated[
        int | None, typer.Option(help="Of --attention or --tui, from 1; the first when left out.")
    ] = None,
    min_probability: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out answers less probable than this.")
    ] = 0.0,
    csv: Annotated[bool, typer.Option("--csv", help="Print the result as CSV.")] = False,
    tui: Annotated[bool, typer.Option("--tui", help="Open the attention in the viewer.")] = False,
    save: Save = None,
    export_to: Export = None,
    theme: Theme = "paper",
    title: FigureTitle = "",
    force: Force = False,
    json_output: Json = False,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Label texts with a calibrated probability, and colour the words that carried it.

    Without TEXT and --file, stdin gives a text a line.
    """
    from dlcc.cli.console import loading
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.figure.answers import answer_panels
    from dlcc.cli.draw.grid import print_grids
    from dlcc.core.errors import UsageError
    from dlcc.core.files.tables import TableConfig
    from dlcc.core.sentiment.source import NO_ATTENTION, SentimentSource

    at_most_one(json=json_output, csv=csv, tui=tui)
    how = TableConfig(format=format, encoding=encoding, skip_bad_rows=skip_bad_rows)
    given, names = _texts(texts or [], file, column, how)
    if (layer or head) and not (attention or tui or export_to is not None):
        raise UsageError("--layer and --head choose the grid: add --attention, --export or --tui")
    files = Files(save, export_to, theme, title, force)
    source = SentimentSource(checkpoint, device, long, runner)
    if model is not None:
        if checkpoint is not None or long != "windows":
            raise UsageError("--model goes neither with --checkpoint nor with --long")
        from dlcc.core.huggingface.classifier import ClassifierSource

        source = ClassifierSource(model, device)
    with loading("torch and the model"):
        source.classifier  # noqa: B018 - loaded now
    if faithful:
        _measure(source.classifier, given, json_output)
        return
    found = _answered(source.classifier, given)
    if min_probability:
        found, names = _probable(found, names, min_probability)
    shows = attention or tui or files.wanted
    if shows and len(found) > _FEW:
        raise UsageError(f"attention of {len(found):,} texts: choose at most {_FEW}")
    explains = explain != "none" and (explain is not None or len(found) <= _FEW)
    why: list[Explained | None] = []
    traces: list[AttentionTrace] = []
    for answer in found:
        explainer = source.explainer(answer) if explains or shows else None
        explained = explainer.explained(explain) if explainer and explains else None
        why.append(explained)
        if explainer and shows:
            trace = source.trace(answer.text, explainer, explained.method if explained else None)
            traces += [trace] if trace else []
    if shows:
        if not traces:
            raise UsageError(NO_ATTENTION)
        check_map(traces[0].weights.shape, layer, head)
    _say_what_matters(source.classifier, found)
    _print(found, names, why, source.classifier.labels, json_output, csv)
    if attention and not json_output and not csv:
        for trace in traces:
            print_grids([trace], layer=(layer or trace.num_layers) - 1, heads=[(head or 1) - 1])
    panels = None if attention else lambda: answer_panels(found, why)
    files.write(traces, layer=layer, head=head, panels=panels)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=layer or traces[0].num_layers, head=head or 1)


def _measure(classifier: "Classifier", texts: list[str], as_json: bool) -> None:
    """Print how fast the label's probability falls as each method's top words are masked."""
    from dataclasses import asdict

    from dlcc.cli.console import counting, print_json
    from dlcc.cli.draw.scores import print_faithfulness
    from dlcc.core.sentiment.explain import STEPS
    from dlcc.core.sentiment.faithfulness import faithfulness

    with counting("texts", len(texts)) as progress:
        other: Any = {}
        if hasattr(classifier, "encoded"):  # one from elsewhere
            from dlcc.core.huggingface.classifier import StrangersExplainer

            other = {"explains": StrangersExplainer, "cut": classifier.encoded}
        trust = faithfulness(classifier, texts, progress=progress, **other)
    if as_json:
        print_json({"texts": len(texts), "methods": [asdict(each) for each in trust]})
    else:
        print_faithfulness(trust, len(texts), STEPS)


def _texts(
    texts: list[str], file: Path | None, column: str | None, how: "TableConfig"
) -> tuple[list[str], list[str] | None]:
    """The texts to answer, and the names of the files that they come from one by one."""
    from dlcc.cli.console import note
    from dlcc.core.errors import UsageError
    from dlcc.core.files.encodings import decode, readable
    from dlcc.core.files.tables import open_table
    from dlcc.core.sentiment.data import plain_lines, read_texts, table_texts, text_files

    if file is not None:
        if texts:
            raise UsageError(f"--file {file} and a text: give one of them")
        found = read_texts(file, column, how, note)
        if not found:
            raise UsageError(f"--file {file} holds no text")
        if not file.is_dir():
            return found, None
        return found, [str(each.relative_to(file)) for each in text_files(file)]
    as_table = how.format not in (None, "lines")
    if column and not as_table:
        raise UsageError(f"--column {column} needs --file with a .csv, .tsv or .jsonl file")
    if not texts and sys.stdin.isatty():
        raise UsageError('give a text, such as dlcc sentiment "I could not stop smiling."')
    if not texts:
        if as_table:
            found = table_texts(open_table(sys.stdin.buffer, "stdin", how), column, note)
        else:
            found = plain_lines(sys.stdin.buffer.read(), "stdin", how)
        if not any(line.strip() for line in found):
            raise UsageError("stdin is empty: give a text a line, or a text as an argument")
        return found, None
    found = [decode(sys.stdin.buffer.read(), "stdin") if t == "-" else readable(t) for t in texts]
    for number, text in enumerate(found, 1):
        if not text.strip():
            raise UsageError(f"text {number} is empty: give at least one word")
    return found, None


def _answered(classifier: "Classifier", texts: list[str]) -> "list[Answer]":
    """The answers, with a bar where they take a moment, and with the tokens of a few."""
    if len(texts) < _BAR_FROM:
        return classifier.answer(texts, keep_tokens=len(texts) <= _FEW)
    from dlcc.cli.console import counting

    with counting("texts", len(texts)) as progress:
        return classifier.answer(texts, progress)


def _probable(
    found: "list[Answer]", names: list[str] | None, least: float
) -> "tuple[list[Answer], list[str] | None]":
    """The answers that are at least so probable, and their names."""
    from dlcc.cli.console import note
    from dlcc.core.errors import UsageError

    kept = [place for place, each in enumerate(found) if (each.probability or 0.0) >= least]
    if not kept:
        raise UsageError(f"no answer is as probable as {least}: lower --min-probability")
    if left := len(found) - len(kept):
        note(f"{left:,} of {len(found):,} answers are less probable than {least}: left out")
    return [found[place] for place in kept], names and [names[place] for place in kept]


def _say_what_matters(classifier: "Classifier", found: "list[Answer]") -> None:
    from dlcc.cli.console import note, warn

    long = [answer for answer in found if answer.num_tokens > classifier.max_length]
    if len(found) == 1 and long and classifier.long_texts == "windows":
        note(
            f"{long[0].num_tokens:,} tokens, read in {long[0].num_stretches} windows of "
            f"{classifier.max_length}: their logits are averaged"
        )
    elif long:
        how = {
            "windows": f"read in windows of {classifier.max_length} tokens, logits averaged",
            "start": f"only their first {classifier.max_length} tokens read",
            "ends": f"only their ends read: {classifier.max_length // 4} tokens and the last "
            f"{classifier.max_length - classifier.max_length // 4}",
        }[classifier.long_texts]
        note(f"{len(long):,} of {len(found):,} texts are longer than the model takes: {how}")
    if empty := sum(answer.label is None for answer in found):
        warn(f"{empty:,} of {len(found):,} texts hold no word: no label for them")
    if unknown := sum(answer.mostly_unknown for answer in found):
        where = "" if len(found) == 1 else f" of {unknown:,} of {len(found):,} texts"
        warn(
            f"most words{where} are unknown to the model: another language? Do not trust the label"
        )


def _print(
    found: "list[Answer]",
    names: list[str] | None,
    why: "list[Explained | None]",
    labels: Sequence[str],
    as_json: bool,
    as_csv: bool,
) -> None:
    from dlcc.cli.console import print_json, stdout
    from dlcc.cli.draw import words as sentiment_view

    if as_json:
        results = [
            sentiment_view.as_json(answer, labels, each)
            for answer, each in zip(found, why, strict=True)
        ]
        for result, name in zip(results, names or (), strict=False):
            result["file"] = name
        print_json({"labels": labels, "results": results})
    elif as_csv:
        sentiment_view.print_csv(found, labels, names)
    elif len(found) == 1:
        sentiment_view.print_answer(stdout(), found[0], why[0])
    else:
        sentiment_view.print_answers(stdout(), found, why)
