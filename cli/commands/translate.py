"""`dlcc translate`: translate text; its further commands stand in their own files."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.commands.translate_notes import Said
from dlcc.cli.options import (
    Ablate,
    Checkpoint,
    Device,
    Encoding,
    FileOptions,
    Json,
    Model,
    Numbers,
    Palette,
    ResumeOutput,
    Runner,
    Tui,
    at_most_one,
)

if TYPE_CHECKING:
    from dlcc.cli.draw.export import Files
    from dlcc.core.translate.translator import Translation, Translator


_MOST = 1024  # lines that are translated before they are printed


def translate(
    text: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to translate; - or nothing reads lines from stdin.", metavar="TEXT"
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Translate each line of a file.", metavar="FILE")
    ] = None,
    encoding: Encoding = None,
    checkpoint: Checkpoint = None,
    model: Model = None,
    beam: Annotated[int, typer.Option("--beam", help="Beam width; 1 is greedy search.")] = 5,
    length_penalty: Annotated[
        float, typer.Option("--length-penalty", help="Above 1 favours long translations.")
    ] = 1.4,
    n_best: Annotated[
        int, typer.Option("--n-best", help="Translations to print, with their scores.")
    ] = 1,
    attention: Annotated[
        bool | None,
        typer.Option(
            "--attention/--no-attention",
            help="Draw the alignment; the default for one sentence on a terminal.",
            show_default=False,
        ),
    ] = None,
    numbers: Numbers = False,
    palette: Palette = "viridis",
    resume_output: ResumeOutput = None,
    ablate: Ablate = None,
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Translate TEXT, English to Spanish with the bundled model.

    Lines of a file or of stdin are translated as they come; --json prints an object for each.
    A first word that names a command, such as train, is that command: put -- before it.

    Examples:
        dlcc translate "I bought a book."
        dlcc translate "I bought a book." --attention --n-best 3
        dlcc translate --file letters.txt > cartas.txt
        echo "I bought a book." | dlcc translate - --tui
        dlcc translate --model FOLDER "Good morning."
    """
    from dlcc.cli.console import by_model, loading, print_json, print_results, stdout
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.grid import GridStyle, attention_grid
    from dlcc.cli.draw.palette import chosen_palette, color_system
    from dlcc.cli.streams import continued
    from dlcc.core.errors import UsageError
    from dlcc.core.trace.maps import by_word

    at_most_one(json=json_output, tui=tui)
    colours = chosen_palette(palette)
    files = Files(**vars(output))
    shows = tui or files.wanted
    if resume_output and (shows or attention or (n_best != 1 and not json_output)):
        raise UsageError(
            "--resume-output has one line a line: no picture, and --n-best only with --json"
        )
    given = _given(text, file, encoding)
    if ablate is not None:
        from dlcc.cli.commands.ablate import check_ablate

        check_ablate(ablate, model)
    if model is not None:
        if checkpoint is not None or n_best != 1:
            raise UsageError("--model goes neither with --checkpoint nor with --n-best")
        draws = stdout().is_terminal and given.alone if attention is None else attention
        shown = draws and not json_output and not tui
        rest = (numbers, colours, tui, files, json_output, resume_output)
        _by_model(model, given, device, shown, *rest)
        return
    if n_best < 1:
        raise UsageError(f"--n-best {n_best}: at least 1")
    from dlcc.core.translate.source import TranslateSource, alignment_of
    from dlcc.core.translate.translator import SearchOptions

    options = SearchOptions(beam, length_penalty)
    if n_best > beam:
        options = SearchOptions(n_best, length_penalty)
    source = TranslateSource(checkpoint, device, options, runner)
    with loading("torch and the model"):
        translator, console = source.translator, stdout()
    if ablate is not None:
        from dlcc.cli.commands.ablate import ablated

        sentences = chain.from_iterable(given.parts(0))
        asked = ((line, partial(source.traces, line)) for line in sentences)
        ablated(source, asked, json_output, "log probability")
        return
    if tui:
        from dlcc.cli.commands.view import import_viewer

        import_viewer(translator.runner, "encode", "traced")
    alone = given.alone and console.is_terminal and translator.config.attention != "none"
    draws = (alone if attention is None else attention) and not json_output and not tui
    shows = shows or draws
    traces = []
    with continued(resume_output) as before:
        said = Said(given.alone, before)
        for lines in given.parts(before):
            done = translator.translate(lines, source.options, keep_steps=shows or json_output)
            for line, each in zip(lines, done, strict=True):
                said.take(line, each)
                if json_output:
                    found = _as_json(translator, each, n_best)
                    if given.streamed:
                        print_json(found)
                    else:
                        print_results([found], by_model(translator))
                elif not tui:
                    _print(each, n_best)
            if shows and (not alone or attention is not None or done[0].text):
                traces += source.traces_of(done)
        said.finish()
    if not traces:
        return
    words = [by_word(trace) for trace in traces]
    files.write(words, colours, numbers, to_save=traces)
    style = GridStyle(colours, color_system(console), numbers, console.width)
    for trace in words if draws else ():
        console.print()
        console.print(attention_grid(alignment_of(trace), style=style))
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source)


@dataclass
class _Given:
    """Lines to translate."""

    lines: Iterator[str]
    alone: bool
    """Whether there is one."""
    streamed: bool
    """Whether they are read one after another, from a file or from stdin."""
    total: int | None = None

    def parts(self, before: int) -> Iterator[list[str]]:
        """Those after the first `before`, some at a time."""
        from dlcc.cli.streams import in_windows

        left = islice(self.lines, before, None)
        return iter([[*left]]) if self.alone else in_windows(left, "lines", self.total, _MOST)


def _given(text: list[str] | None, file: Path | None, encoding: str | None) -> _Given:
    """The sentences to translate, one a line.

    Raises:
        UsageError: there are none, or both ways of giving them.
    """
    from dlcc.cli.streams import known_total
    from dlcc.core.errors import UsageError
    from dlcc.core.files.encodings import readable
    from dlcc.core.files.lines import lines_in

    if file is not None and text:
        raise UsageError("give TEXT or --file, not both")
    if text and text != ["-"]:
        return _Given(iter([readable(" ".join(text))]), alone=True, streamed=False)
    if file is None and sys.stdin.isatty() and not text:
        raise UsageError("give TEXT, or --file FILE, or lines on stdin")
    name = str(file or "stdin")
    lines = lines_in(file or sys.stdin.buffer, name, encoding)
    first = list(islice(lines, 2))
    if not first:
        raise UsageError(f"{name} is empty: give a sentence a line")
    return _Given(chain(first, lines), len(first) == 1, True, known_total(file))


def _by_model(
    name: str,
    given: _Given,
    device: str,
    draws: bool,
    numbers: bool,
    colours: Any,
    tui: bool,
    files: "Files",
    as_json: bool,
    resume_output: Path | None,
) -> None:
    """Translate with a model from elsewhere, greedily."""
    from dlcc.cli.console import print_json, print_results, put
    from dlcc.cli.draw.grid import print_grids
    from dlcc.cli.streams import continued
    from dlcc.core.errors import UsageError
    from dlcc.core.huggingface.source import HuggingFaceSource
    from dlcc.core.trace.maps import by_word

    source = HuggingFaceSource(**({} if device == "auto" else {"device": device}))
    if not source.model(name).config.get("is_encoder_decoder"):
        raise UsageError(f"--model {name} translates nothing: an encoder and a decoder are needed")
    shows, traces = draws or tui or files.wanted, []
    with continued(resume_output) as before:
        for line in chain.from_iterable(given.parts(before)):
            found = source.traces(name, line) if line.strip() else []
            written = found[0].details["written"] if found else ""
            result = {"source": line, "translation": written}
            if as_json and given.streamed:
                print_json(result)
            elif as_json:
                print_results([result], {"model": name})
            elif not tui:
                put(written)
            traces += found if shows else []
    if not traces:
        return
    words = [by_word(trace) for trace in traces]
    files.write(words, colours, numbers, to_save=traces)
    if draws:  # the alignment: the last layer's heads that look at the encoder, as their mean
        from dlcc.core.trace.maps import mean_of_heads

        print_grids([mean_of_heads(words[0], words[0].num_layers)], colours, numbers)
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=traces[0].num_layers)


def _print(translation: "Translation", n_best: int) -> None:
    from dlcc.cli.console import put

    if n_best == 1:
        put(translation.text)
        return
    for text, score in translation.others[:n_best]:
        put(f"{score:.3f}\t{text}")


def _as_json(translator: "Translator", translation: "Translation", n_best: int) -> dict[str, Any]:
    from dlcc.core.translate.source import steps_of

    copies = translation.source_tokens.copies
    result: dict[str, Any] = {
        "source": translation.source,
        "translation": translation.text,
        "score": round(translation.score, 4),
        "source_tokens": translation.source_tokens.texts,
        "tokens": [translator.codec.piece(token, copies) for token in translation.tokens],
        "n_best": [
            {"translation": text, "score": round(score, 4)}
            for text, score in translation.others[:n_best]
        ],
        "unknown": translation.unknown,
        "copied": copies,
        "problem": translation.problem,
    }
    if translation.parts:
        result["parts"] = [_as_json(translator, part, n_best) for part in translation.parts]
    if translation.tokens and translation.steps is not None:
        result |= steps_of(translator, translation.steps, copies)
    return result
