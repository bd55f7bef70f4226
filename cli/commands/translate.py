"""`dlcc translate`: translate text; its further commands stand in their own files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.commands import translate_eval, translate_train
from dlcc.cli.groups import DEFAULT, DefaultCommand
from dlcc.cli.options import Checkpoint, Debug, Device, Export, Json, Quiet, Save, at_most_one

if TYPE_CHECKING:
    from dlcc.core.translate.translator import SearchOptions, Translation, Translator

app = typer.Typer(help="Translate with a GRU and attention.")
app.command()(translate_train.train)
app.command("eval")(translate_eval.evaluate)
app.command()(translate_eval.compare)
app.command()(translate_eval.alignments)

_CHUNK = 1000  # lines that are translated before they are printed


@app.command(DEFAULT, cls=DefaultCommand, hidden=True)
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
    checkpoint: Checkpoint = None,
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
    export: Export = None,
    json_output: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Translate TEXT, English to Spanish with the bundled model.

    A first word that names a command, such as train, is that command: put -- before it.
    """
    from dlcc.cli.draw.palette import chosen_palette
    from dlcc.cli.made_by import keep
    from dlcc.core.errors import UsageError

    at_most_one(json=json_output, tui=tui)
    colours = chosen_palette(palette)
    if export is not None:
        from dlcc.cli.draw.export import check_ending

        check_ending(export)
    from dlcc.cli import console as screen
    from dlcc.cli.commands import translate_show
    from dlcc.core.translate.translator import SearchOptions

    lines = _lines(text, file)
    if n_best < 1:
        raise UsageError(f"--n-best {n_best}: at least 1")
    options = SearchOptions(beam, length_penalty)
    if n_best > beam:
        options = SearchOptions(n_best, length_penalty)
    translator = load(checkpoint, device)
    done: list[Translation] = []
    for chunk in _translated(translator, lines, options):
        if not json_output and not tui:
            for translation in chunk:
                _print(translation, n_best)
        done += chunk
    translate_show.say_problems(done)
    if json_output:
        translate_show.print_json(translator, done, n_best)
    draws = attention
    if attention is None and translator.model.config.attention != "none":
        draws = [bool(t.text) for t in done] == [True] and screen.stdout().is_terminal
    draws = draws and not json_output and not tui
    if draws or save is not None or export is not None or tui:
        traces = translate_show.traces_of(translator, done, checkpoint, options)
        keep(
            traces,
            save,
            export,
            lambda path: translate_show.export(path, traces, colours, numbers),
        )
        if draws:
            translate_show.draw(traces, colours, numbers)
        if tui:
            from dlcc.cli.tui.app import view_traces

            view_traces(traces, translate_show.viewer_actions(translator, checkpoint))


def load(folder: Path | None, device: str) -> "Translator":
    """The translator in a checkpoint folder or a run folder, or the bundled one."""
    from dlcc.core.files.paths import asset
    from dlcc.core.train.checkpoint import best_of
    from dlcc.core.train.runtime import choose_device
    from dlcc.core.translate.translator import Translator

    folder = asset("translate") if folder is None else best_of(folder)
    return Translator.load(folder, choose_device(device))


def _lines(text: list[str] | None, file: Path | None) -> list[str]:
    """The sentences to translate, one a line."""
    import sys

    from dlcc.core.errors import UsageError
    from dlcc.core.files.paths import read_bytes
    from dlcc.core.files.tables import lines_of, readable

    if file is not None and text:
        raise UsageError("give TEXT or --file, not both")
    if text and text != ["-"]:
        return [readable(" ".join(text))]
    if file is None and sys.stdin.isatty() and not text:
        raise UsageError("give TEXT, or --file FILE, or lines on stdin")
    data = sys.stdin.buffer.read() if file is None else read_bytes(file)
    lines = lines_of(data, str(file or "stdin"))
    if not lines:
        raise UsageError(f"{file or 'stdin'} is empty: give a sentence a line")
    return lines


def _translated(
    translator: "Translator", lines: list[str], options: "SearchOptions"
) -> "Iterator[list[Translation]]":
    """The translations in order, as many at a time as are printed at once."""
    import time

    from dlcc.cli.console import note

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
