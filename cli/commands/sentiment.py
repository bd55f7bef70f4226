"""`dlcc sentiment`: classify texts and say why."""

from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from dlcc.cli.commands.sentiment_texts import FEW, Given, Text, given_texts
from dlcc.cli.options import (
    Ablate,
    Checkpoint,
    Device,
    Encoding,
    FileOptions,
    Format,
    Json,
    Model,
    Numbers,
    Palette,
    ResumeOutput,
    Runner,
    SkipBadRows,
    Tui,
    at_most_one,
    check_map,
)

if TYPE_CHECKING:
    from dlcc.core.sentiment.classifier import Answer, Classifier
    from dlcc.core.sentiment.explain import Explained
    from dlcc.core.trace.trace import AttentionTrace

    Answered: TypeAlias = "tuple[Text, Answer]"


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
    ablate: Ablate = None,
    numbers: Numbers = False,
    palette: Palette = "viridis",
    min_probability: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out answers less probable than this.")
    ] = 0.0,
    csv: Annotated[bool, typer.Option("--csv", help="Print the result as CSV.")] = False,
    resume_output: ResumeOutput = None,
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Label texts with a calibrated probability, and colour the words that carried it.

    Without TEXT and --file, stdin gives a text a line. What is read from either is answered as it
    comes, and --json prints an object a line.

    Examples:
        dlcc sentiment "I could not stop smiling."
        dlcc sentiment - --tui < review.txt
        dlcc sentiment --file reviews.csv.gz --column text --csv > answers.csv
        dlcc sentiment "A fine film." --attention --layer 2 --head 2
        dlcc sentiment "A fine film." --explain gradient --json
    """
    from dlcc.cli.console import loading
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.figure.answers import answer_panels
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.cli.streams import continued, in_windows
    from dlcc.core.errors import UsageError
    from dlcc.core.files.tables import TableConfig
    from dlcc.core.sentiment.source import NO_ATTENTION, SentimentSource

    at_most_one(json=json_output, csv=csv, tui=tui)
    files = Files(**vars(output))
    shows = attention or tui or files.wanted
    needs = attention or tui or files.takes_traces
    if resume_output and (min_probability or shows):
        raise UsageError("--resume-output has an answer a text: no --min-probability, no picture")
    colours = chosen_palette(palette)
    how = TableConfig(format=format, encoding=encoding, skip_bad_rows=skip_bad_rows)
    given = given_texts(texts or [], file, column, how)
    if (layer or head) and not (attention or tui or output.export is not None):
        raise UsageError("--layer and --head choose the grid: add --attention, --export or --tui")
    source = SentimentSource(checkpoint, device, long, runner)
    if model is not None:
        if checkpoint is not None or long != "windows":
            raise UsageError("--model goes neither with --checkpoint nor with --long")
        from dlcc.core.huggingface.classifier import ClassifierSource

        source = ClassifierSource(model, device)
    with loading("torch and the model"):
        classifier = source.classifier
    if ablate is not None:
        from dlcc.cli.commands.ablate import ablated, check_ablate

        check_ablate(ablate)
        asked = ((each.text, partial(source.attention, each.text)) for each in given.texts)
        ablated(source, asked, json_output, model_name=model or "")
        return
    if faithful:
        _measure(classifier, [each.text for each in given.texts], json_output)
        return
    if shows and not given.few:
        raise UsageError(f"attention of more than {FEW} texts: choose at most so many")
    explains = explain != "none" and (explain is not None or given.few)
    traces: list[AttentionTrace] = []
    with continued(resume_output, csv) as before:
        said = _Said(classifier, min_probability)
        printer = _Printer(classifier, given, json_output, csv, headed=before > 0)
        left = islice(given.texts, before, None)
        parts = [[*left]] if given.few else in_windows(left, "texts", given.total)
        for part in parts:
            found = classifier.answer([each.text for each in part], keep_tokens=given.few)
            answered = said.probable(list(zip(part, found, strict=True)))
            why: list[Explained | None] = []
            for _, answer in answered:
                explainer = source.explainer(answer) if explains or shows else None
                explained = explainer.explained(explain) if explainer and explains else None
                why.append(explained)
                if explainer and shows:
                    method = explained.method if explained else None
                    trace = source.trace(answer.text, explainer, method)
                    traces += [trace] if trace else []
            if needs and not traces and answered:
                raise UsageError(NO_ATTENTION)
            for trace in traces[:1]:
                check_map(trace.weights.shape, layer, head)
            printer.print(answered, why)
        said.finish()
    if attention and not json_output and not csv:
        for trace in traces:
            shown = (layer or trace.num_layers) - 1
            print_grids([trace], colours, numbers, shown, [(head or 1) - 1])
    panels = None if attention else lambda: answer_panels([each for _, each in answered], why)
    files.write(traces, colours, numbers, layer=layer, head=head, panels=panels)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=layer or traces[0].num_layers, head=head or 1)


def _measure(classifier: "Classifier", texts: list[str], as_json: bool) -> None:
    """Print how fast the label's probability falls as each method's top words are masked."""
    from dataclasses import asdict

    from dlcc.cli.console import by_model, counting, print_results
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
        told = {"count": len(texts), "masked_shares": STEPS}
        print_results(map(asdict, trust), by_model(classifier), **told)
    else:
        print_faithfulness(trust, len(texts), STEPS)


class _Said:
    """What is left out of the answers, and what a person should know of them.

    Args:
        classifier: which answers.
        least: answers less probable are left out.
    """

    def __init__(self, classifier: "Classifier", least: float) -> None:
        self._classifier, self._least = classifier, least
        self._all = self._left_out = self._long = self._empty = self._unknown = 0
        self._last: Answer | None = None

    def probable(self, answered: "list[Answered]") -> "list[Answered]":
        """The answers that are probable enough, with their texts."""
        kept = [each for each in answered if (each[1].probability or 0.0) >= self._least]
        self._left_out += len(answered) - len(kept)
        self._all += len(kept)
        for _, answer in kept:
            self._long += answer.num_tokens > self._classifier.max_length
            self._empty += answer.label is None
            self._unknown += answer.mostly_unknown
            self._last = answer
        return kept

    def finish(self) -> None:
        """Say it."""
        from dlcc.cli.console import note, warn
        from dlcc.core.errors import UsageError

        classifier, count = self._classifier, self._all
        if self._left_out and not count:
            raise UsageError(f"no answer is as probable as {self._least}: lower --min-probability")
        if self._left_out:
            every = count + self._left_out
            note(
                f"{self._left_out:,} of {every:,} answers are less probable than {self._least}: "
                "left out"
            )
        if count == 1 and self._long and classifier.long_texts == "windows":
            assert self._last is not None  # the one
            note(
                f"{self._last.num_tokens:,} tokens, read in {self._last.num_stretches} windows of "
                f"{classifier.max_length}: their logits are averaged"
            )
        elif self._long:
            how = {
                "windows": f"read in windows of {classifier.max_length} tokens, logits averaged",
                "start": f"only their first {classifier.max_length} tokens read",
                "ends": f"only their ends read: {classifier.max_length // 4} tokens and the last "
                f"{classifier.max_length - classifier.max_length // 4}",
            }[classifier.long_texts]
            note(f"{self._long:,} of {count:,} texts are longer than the model takes: {how}")
        if self._empty:
            warn(f"{self._empty:,} of {count:,} texts hold no word: no label for them")
        if self._unknown:
            where = "" if count == 1 else f" of {self._unknown:,} of {count:,} texts"
            warn(
                f"most words{where} are unknown to the model: another language? "
                "Do not trust the label"
            )


class _Printer:
    """Prints answers, some at a time.

    Args:
        classifier: which answers.
        given: what they answer.
        as_json, as_csv: in which form.
        headed: whether CSV has its header already.
    """

    def __init__(
        self, classifier: "Classifier", given: Given, as_json: bool, as_csv: bool, headed: bool
    ) -> None:
        self._classifier, self._given, self._headed = classifier, given, headed
        self._as_json, self._as_csv = as_json, as_csv

    def print(self, answered: "list[Answered]", why: "list[Explained | None]") -> None:
        from dlcc.cli.console import by_model, print_json, print_results, stdout
        from dlcc.cli.draw import words as sentiment_view

        found = [answer for _, answer in answered]
        names = [each.name for each, _ in answered] if self._given.named else None
        if self._as_json:
            results = [
                sentiment_view.as_json(answer, self._classifier.labels, each)
                for answer, each in zip(found, why, strict=True)
            ]
            for result, name in zip(results, names or (), strict=False):
                result["file"] = name
            if not self._given.streamed:
                print_results(results, by_model(self._classifier), labels=self._classifier.labels)
            for result in results if self._given.streamed else ():
                print_json(result)
        elif self._as_csv:
            sentiment_view.print_csv(
                found, self._classifier.labels, names, not self._headed and bool(found)
            )
            self._headed = self._headed or bool(found)
        elif len(found) == 1 and self._given.few:
            sentiment_view.print_answer(stdout(), found[0], why[0])
        else:
            sentiment_view.print_answers(stdout(), found, why, self._classifier.labels)
