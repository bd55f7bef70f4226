"""`dlcc translate`: translate text; its further commands stand in their own files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli import translate_eval, translate_train
from dlcc.cli.options import Debug, Device, Export, Json, Quiet, Save

if TYPE_CHECKING:
    from dlcc.cli.tui.app import ViewerActions
    from dlcc.core.trace import AttentionTrace
    from dlcc.core.translator import SearchOptions, Translation, Translator

app = typer.Typer(help="Translate with a GRU and attention.")
app.command()(translate_train.train)
app.command("eval")(translate_eval.evaluate)
app.command()(translate_eval.compare)
app.command()(translate_eval.alignments)

_CHUNK = 1000  # lines that are translated before they are printed


@app.command("run", hidden=True)
def translate(
    text: Annotated[
        list[str] | None,
        typer.Argument(help="What to translate; - or nothing reads lines from stdin."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Translate each line of a file.", metavar="FILE")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="A checkpoint folder; the bundled model when left out.",
            metavar="FOLDER",
        ),
    ] = None,
    beam: Annotated[int, typer.Option("--beam", help="Beam width; 1 is greedy search.")] = 1,
    length_penalty: Annotated[
        float, typer.Option("--length-penalty", help="Above 1 favours long translations.")
    ] = 1.0,
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
    export: Export = None,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Translate TEXT, English to Spanish with the bundled model.

    The first word "train", "eval", "compare" or "alignments" names a command; to translate
    such a word, put -- before it.
    """
    from dlcc.cli.palette import PALETTES
    from dlcc.core.errors import UsageError

    if palette not in PALETTES:
        raise UsageError(f"--palette {palette}: choose from {', '.join(PALETTES)}")
    if export is not None:
        from dlcc.cli.export import check_ending

        check_ending(export)
    lines = _lines(text, file)
    from dlcc.core.translator import SearchOptions

    if n_best < 1:
        raise UsageError(f"--n-best {n_best}: at least 1")
    options = SearchOptions(beam, length_penalty)
    if n_best > beam:
        options = SearchOptions(n_best, length_penalty)
    translator = load(model, device)
    wants_traces = tui or save is not None or export is not None or attention
    if file is None and len(lines) == 1 and attention is None and not json_output:
        from dlcc.cli.screen import stdout

        wants_traces = wants_traces or stdout().is_terminal
    done: list[Translation] = []
    for chunk in _translated(translator, lines, options):
        if not json_output and not tui:
            for translation in chunk:
                _print(translation, n_best)
        done += chunk
    _say_problems(done)
    if json_output:
        _print_json(translator, done, n_best)
    if wants_traces:
        _show(translator, done, palette, numbers, tui, save, export, json_output, attention)


def load(folder: Path | None, device: str) -> "Translator":
    """The translator in a checkpoint folder or a run folder, or the bundled one."""
    from dlcc.core.paths import asset
    from dlcc.core.runtime import choose_device
    from dlcc.core.translator import Translator

    if folder is None:
        folder = asset("translate")
    elif (folder / "best").is_dir():
        folder = folder / "best"
    return Translator.load(folder, choose_device(device))


def _lines(text: list[str] | None, file: Path | None) -> list[str]:
    """The sentences to translate, one a line."""
    import sys

    from dlcc.core.errors import DataError, UsageError

    if file is not None and text:
        raise UsageError("give TEXT or --file, not both")
    if text and text != ["-"]:
        return [" ".join(text)]
    try:
        if file is not None:
            data = file.read_bytes()
        elif sys.stdin.isatty() and not text:
            raise UsageError("give TEXT, or --file FILE, or lines on stdin")
        else:
            data = sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file or 'stdin'}, line {line}, is not UTF-8") from error


def _translated(
    translator: "Translator", lines: list[str], options: "SearchOptions"
) -> "Iterator[list[Translation]]":
    """The translations in order, as many at a time as are printed at once."""
    import time

    from dlcc.cli.screen import note

    begun = time.monotonic()
    for start in range(0, len(lines), _CHUNK):
        yield translator.translate(lines[start : start + _CHUNK], options)
    seconds = time.monotonic() - begun
    if len(lines) > 1:
        note(f"{len(lines):,} lines in {seconds:.1f} s, {len(lines) / seconds:,.0f} a second")


def _print(translation: "Translation", n_best: int) -> None:
    if n_best == 1:
        print(translation.text)
        return
    for text, score in translation.others[:n_best]:
        print(f"{score:.3f}\t{text}")


def _say_problems(done: "list[Translation]") -> None:
    from dlcc.cli.screen import note, warn

    empty = 0
    for number, translation in enumerate(done, 1):
        where = f"line {number}: " if len(done) > 1 else ""
        if not translation.source and where:
            empty += 1
        elif translation.problem:
            warn(where + translation.problem)
        if translation.unknown and translation.text:
            words = ", ".join(translation.unknown)
            note(f"{where}not in the training data: {words}")
    if empty:
        note(f"{empty} empty line{'s' if empty > 1 else ''} kept empty")


def _print_json(translator: "Translator", done: "list[Translation]", n_best: int) -> None:
    import json

    results = []
    for translation in done:
        result = {
            "source": translation.source,
            "translation": translation.text,
            "score": round(translation.score, 4),
            "source_tokens": translation.source_tokens.texts,
            "tokens": [translator.codec.piece(token) for token in translation.tokens],
            "n_best": [
                {"translation": text, "score": round(score, 4)}
                for text, score in translation.others[:n_best]
            ],
            "unknown": translation.unknown,
            "problem": translation.problem,
        }
        if translation.tokens:
            result |= translator.details(translation)
        results.append(result)
    print(json.dumps({"translations": results}, ensure_ascii=False))


def _show(
    translator: "Translator",
    done: "list[Translation]",
    palette: str,
    numbers: bool,
    tui: bool,
    save: Path | None,
    export: Path | None,
    json_output: bool,
    asked: bool | None,
) -> None:
    """The alignment of each translation: drawn, kept in files, opened in the viewer."""
    from dlcc.cli.palette import PALETTES
    from dlcc.core.errors import DataError
    from dlcc.core.words import by_word

    if (
        translator.model.config.attention == "none"
        and asked is None
        and not (save or export or tui)
    ):
        return  # a model without attention, and none was asked for
    traces = [
        translator.trace(t, _made_by(translator, t)) for t in done if t.source_tokens.ids and t.text
    ]
    if not traces:
        if asked or save or export or tui:
            raise DataError("nothing was translated, so there is no attention to show")
        return
    if save is not None:
        from dlcc.core.trace import save_traces

        save_traces(save, traces)
    if export is not None:
        from dlcc.cli.export import export as write

        write(export, [by_word(trace) for trace in traces], PALETTES[palette], numbers)
    if tui:
        _open_viewer(translator, traces)
    elif asked or (asked is None and not json_output and not save and not export):
        _print_grids([by_word(trace) for trace in traces], palette, numbers)


def _made_by(translator: "Translator", translation: "Translation") -> dict[str, object]:
    import shlex
    from importlib.metadata import version

    about = translator.about
    return {
        "command": f"dlcc translate {shlex.quote(translation.source)}",
        "model": about.get("command", ""),
        "seed": about.get("seed", 0),
        "versions": {name: version(name) for name in ("dlcc", "torch")},
    }


def _open_viewer(translator: "Translator", traces: "list[AttentionTrace]") -> None:
    from dlcc.cli.tui.app import view_traces

    view_traces(traces, viewer_actions(translator))


def viewer_actions(translator: "Translator") -> "ViewerActions":
    """What the viewer can ask of a translator."""
    from dlcc.cli.tui.app import ViewerActions

    def translate(text: str) -> "list[AttentionTrace]":
        result = translator.translate([text])[0]
        return [translator.trace(result, _made_by(translator, result))]

    def retranslate(trace: "AttentionTrace", step: int, word: str) -> "list[AttentionTrace]":
        result = translator.choose(trace, step, word)
        return [translator.trace(result, _made_by(translator, result))]

    return ViewerActions(translate=translate, retranslate=retranslate)


def _print_grids(traces: "list[AttentionTrace]", palette: str, numbers: bool) -> None:
    from dlcc.cli.palette import PALETTES, color_system
    from dlcc.cli.render import GridStyle, attention_grid
    from dlcc.cli.screen import stdout

    console = stdout()
    style = GridStyle(PALETTES[palette], color_system(console), numbers, console.width)
    for trace in traces:
        console.print()
        console.print(attention_grid(trace, style=style))
