"""`dlcc translate`: translate text; its further commands stand in their own files."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
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
    Json,
    Model,
    Runner,
    Save,
    Theme,
    at_most_one,
)

if TYPE_CHECKING:
    from dlcc.cli.draw.export import Files
    from dlcc.core.translate.source import TranslateSource
    from dlcc.core.translate.translator import Translation, Translator


_CHUNK = 1000  # lines that are translated before they are printed
_NAMED = 5  # lines with unknown words, at most
_ALIKE = str.maketrans("’‘´`ʼ′“”„", "''''''\"\"\"")  # not worth a word


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
    numbers: Annotated[bool, typer.Option("--numbers", help="Print the weights.")] = False,
    palette: Annotated[
        str, typer.Option("--palette", help="viridis, cividis or grey.", metavar="NAME")
    ] = "viridis",
    tui: Annotated[bool, typer.Option("--tui", help="Open the viewer.")] = False,
    save: Save = None,
    export_to: Export = None,
    theme: Theme = "paper",
    title: FigureTitle = "",
    force: Force = False,
    json_output: Json = False,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Translate TEXT, English to Spanish with the bundled model.

    A first word that names a command, such as train, is that command: put -- before it.
    """
    from dlcc.cli.console import loading, print_json, stdout
    from dlcc.cli.draw.export import Files
    from dlcc.cli.draw.grid import GridStyle, attention_grid
    from dlcc.cli.draw.palette import chosen_palette, color_system
    from dlcc.core.errors import UsageError
    from dlcc.core.trace.maps import by_word

    at_most_one(json=json_output, tui=tui)
    colours = chosen_palette(palette)
    files = Files(save, export_to, theme, title, force)
    lines = _lines(text, file, encoding)
    if model is not None:
        if checkpoint is not None or n_best != 1:
            raise UsageError("--model goes neither with --checkpoint nor with --n-best")
        draws = stdout().is_terminal and len(lines) == 1 if attention is None else attention
        shown = draws and not json_output and not tui
        _by_model(model, lines, device, shown, numbers, colours, tui, files, json_output)
        return
    if n_best < 1:
        raise UsageError(f"--n-best {n_best}: at least 1")
    from dlcc.core.translate.source import TranslateSource
    from dlcc.core.translate.translator import SearchOptions

    options = SearchOptions(beam, length_penalty)
    if n_best > beam:
        options = SearchOptions(n_best, length_penalty)
    source = TranslateSource(checkpoint, device, options, runner)
    with loading("torch and the model"):
        translator, console = source.translator, stdout()
    alone = len(lines) == 1 and console.is_terminal and translator.config.attention != "none"
    draws = (alone if attention is None else attention) and not json_output and not tui
    shows = draws or tui or files.wanted
    done: list[Translation] = []
    results = []
    for chunk in _translated(source, lines, keep_steps=shows or json_output):
        if json_output:
            results += [_as_json(translator, each, n_best) for each in chunk]
        elif not tui:
            for each in chunk:
                _print(each, n_best)
        done += chunk if shows else [replace(each, parts=(), steps=None) for each in chunk]
    _say_problems(done)
    _say_read_as(lines, done)
    if json_output:
        print_json({"translations": results})
    if not shows or (alone and attention is None and not done[0].text):
        return
    traces = source.traces_of(done)
    words = [by_word(trace) for trace in traces]
    files.write(words, colours, numbers, to_save=traces)
    style = GridStyle(colours, color_system(console), numbers, console.width)
    for trace in words if draws else ():
        console.print()
        console.print(attention_grid(trace, style=style))
    if tui:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source)


def _by_model(
    name: str,
    lines: list[str],
    device: str,
    draws: bool,
    numbers: bool,
    colours: Any,
    tui: bool,
    files: "Files",
    as_json: bool,
) -> None:
    """Translate with a model from elsewhere, greedily."""
    from dlcc.cli.console import print_json, put
    from dlcc.cli.draw.grid import print_grids
    from dlcc.core.errors import UsageError
    from dlcc.core.huggingface.source import HuggingFaceSource
    from dlcc.core.trace.maps import by_word

    source = HuggingFaceSource(**({} if device == "auto" else {"device": device}))
    if not source.model(name).config.get("is_encoder_decoder"):
        raise UsageError(f"--model {name} translates nothing: an encoder and a decoder are needed")
    done = []
    for line in lines:
        traces = source.traces(name, line) if line.strip() else []
        written = traces[0].details["written"] if traces else ""
        done.append((line, written, traces))
        if not as_json and not tui:
            put(written)
    if as_json:
        print_json({"translations": [{"source": a, "translation": b} for a, b, _ in done]})
    traces = [trace for _, _, found in done for trace in found]
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


def _lines(text: list[str] | None, file: Path | None, encoding: str | None) -> list[str]:
    """The sentences to translate, one a line."""
    from dlcc.core.errors import UsageError
    from dlcc.core.files.encodings import lines_of, readable
    from dlcc.core.files.paths import read_bytes

    if file is not None and text:
        raise UsageError("give TEXT or --file, not both")
    if text and text != ["-"]:
        return [readable(" ".join(text))]
    if file is None and sys.stdin.isatty() and not text:
        raise UsageError("give TEXT, or --file FILE, or lines on stdin")
    data = sys.stdin.buffer.read() if file is None else read_bytes(file)
    lines = lines_of(data, str(file or "stdin"), encoding)
    if not lines:
        raise UsageError(f"{file or 'stdin'} is empty: give a sentence a line")
    return lines


def _translated(
    source: "TranslateSource", lines: list[str], keep_steps: bool
) -> "Iterator[list[Translation]]":
    """The translations in order, as many at a time as are printed at once."""
    from dlcc.cli.console import note

    begun = time.monotonic()
    for start in range(0, len(lines), _CHUNK):
        chunk = lines[start : start + _CHUNK]
        yield source.translator.translate(chunk, source.options, keep_steps)
    seconds = time.monotonic() - begun
    if len(lines) > 1:
        note(f"{len(lines):,} lines in {seconds:.1f} s, {len(lines) / seconds:,.0f} a second")


def _print(translation: "Translation", n_best: int) -> None:
    from dlcc.cli.console import put

    if n_best == 1:
        put(translation.text)
        return
    for text, score in translation.others[:n_best]:
        put(f"{score:.3f}\t{text}")


def _say_problems(done: "list[Translation]") -> None:
    """Say on stderr what could not be translated, or not well."""
    from dlcc.cli.console import note, warn

    empty, strange = 0, []
    for number, translation in enumerate(done, 1):
        where = f"line {number}: " if len(done) > 1 else ""
        if not translation.source and where:
            empty += 1
        elif translation.problem:
            warn(where + translation.problem)
        if said := _strange(translation):
            strange.append(where + said)
    for line in strange[:_NAMED]:
        note(line)
    if len(strange) > _NAMED:
        note(f"{len(strange) - _NAMED} further lines have words that were copied or are unknown")
    if empty:
        note(f"{empty} empty line{'s' if empty > 1 else ''} kept empty")


def _strange(translation: "Translation") -> str:
    """What a person should know of words that were not translated as others are."""
    parts = translation.parts or (translation,)
    words = [word for part in parts for word in part.source_tokens.copies]
    kept = dict.fromkeys(word for word in words if word in translation.text)
    unknown = [word for word in translation.unknown if not any(word in each for each in kept)]
    said = [f"copied: {', '.join(kept)}"] if kept else []
    if unknown and translation.text:
        said.append(f"not in the training data: {', '.join(unknown)}")
    return "; ".join(said)


def _say_read_as(lines: list[str], done: "list[Translation]") -> None:
    """Say on stderr which lines were read otherwise than they were typed."""
    from dlcc.cli.console import note

    changed = [
        f"{f'line {number}: ' if len(done) > 1 else ''}read as {each.source!r}"
        for number, (line, each) in enumerate(zip(lines, done, strict=True), 1)
        if each.source and each.source.translate(_ALIKE) != " ".join(line.translate(_ALIKE).split())
    ]
    for line in changed[:_NAMED]:
        note(line if len(line) < 200 else f"{line[:199]}…")
    if len(changed) > _NAMED:
        note(f"{len(changed) - _NAMED} further lines were read otherwise than they were typed")


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
