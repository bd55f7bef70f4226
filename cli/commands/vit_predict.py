"""`dlcc vit predict`: what a picture shows, and where the model looked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Checkpoint, Device, Json, Save, at_most_one

if TYPE_CHECKING:
    from PIL.Image import Image

    from dlcc.core.trace.trace import AttentionTrace

_BAR = 30  # cells of a probability of 1
_TOP = 5  # classes that are printed unasked


def predict(
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.", metavar="IMAGE")],
    checkpoint: Checkpoint = None,
    top: Annotated[int, typer.Option(help="Classes to print.", min=1)] = _TOP,
    attention: Annotated[
        bool | None,
        typer.Option(
            "--attention/--no-attention",
            help="Draw the picture and what was attended to; the default on a terminal.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="gradient (gradient × attention), rollout or last (the last layer's attention).",
            metavar="NAME",
        ),
    ] = None,
    layer: Annotated[int | None, typer.Option(help="One layer's attention, from 1.")] = None,
    head: Annotated[int | None, typer.Option(help="One head's attention, from 1.")] = None,
    tui: Annotated[bool, typer.Option("--tui", help="Open the viewer.")] = False,
    save: Save = None,
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Write the picture with its attention: .png or .html.", metavar="FILE"
        ),
    ] = None,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Say what pictures show."""
    from dlcc.cli.console import print_json, stdout
    from dlcc.cli.draw.export import PICTURE_FORMATS, check_ending, export_pictures, keep
    from dlcc.core.errors import DataError
    from dlcc.core.vit.source import PictureSource

    at_most_one(json=json_output, tui=tui)
    method = method or ("gradient" if layer is None and head is None else "last")
    if export_to is not None:
        check_ending(export_to, PICTURE_FORMATS)
    images, problems = _read(pictures)
    source = PictureSource(checkpoint, device)
    draw = stdout().is_terminal and not json_output if attention is None else attention
    shows = tui or save is not None or export_to is not None
    results: list[dict[str, Any]] = []
    traces: list[AttentionTrace] = []
    for path, image in images:
        trace = source.trace(image, path, top)
        traces += [trace] if shows else []  # many of them would fill the memory
        results.append(_answer(path, trace, method, layer, head))
        if not json_output and not tui:
            _print(results[-1], trace, draw)
    if json_output:
        print_json(results)
    if traces:
        keep(traces, save, export_to, lambda path: export_pictures(path, traces, results))
    if tui and traces:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=layer or 1, head=head or 1)
    if problems:
        raise DataError(f"{problems} of {len(pictures)} pictures could not be read")


def _read(paths: list[Path]) -> "tuple[list[tuple[Path, Image]], int]":
    """The pictures that can be read, and how many cannot; a single one that cannot is an error."""
    from dlcc.cli.console import warn
    from dlcc.core.errors import DataError
    from dlcc.core.vit.pictures import read_picture

    images, problems = [], 0
    for path in paths:
        try:
            images.append((path, read_picture(path)))
        except DataError as error:
            if len(paths) == 1:
                raise
            problems += 1
            warn(str(error))
    return images, problems


def _answer(
    path: Path,
    trace: "AttentionTrace",
    method: str,
    layer: int | None,
    head: int | None,
) -> dict[str, Any]:
    """JSON values: the answers, and how much each patch counted."""
    from dlcc.core.vit.source import patch_relevance

    weights = patch_relevance(
        trace,
        method,
        None if layer is None else layer - 1,
        None if head is None else head - 1,
    )
    where = [f"layer {layer}"] * (layer is not None) + [f"head {head}"] * (head is not None)
    return {
        "file": str(path),
        "answers": [
            {"class": name, "probability": probability}
            for name, probability in trace.details["answers"]
        ],
        "method": ", ".join([method, *where]),
        "patches": [[round(float(value), 6) for value in row] for row in weights],
    }


def _print(result: dict[str, Any], trace: "AttentionTrace", draw: bool) -> None:
    """The answers with bars, and the picture with its attention."""
    import numpy as np
    from rich.cells import cell_len
    from rich.text import Text

    from dlcc.cli.console import drawing_width, print_lines, stdout
    from dlcc.cli.draw.labels import fit
    from dlcc.cli.draw.palette import color_system
    from dlcc.cli.draw.pictures import attention_pictures

    console = stdout()
    console.print(Text(result["file"], style="bold"))
    names = [answer["class"] for answer in result["answers"]]
    wide = max(map(cell_len, names))
    for name, answer in zip(names, result["answers"], strict=True):
        share = answer["probability"]
        bar = "█" * round(share * _BAR)
        line = Text(f"  {fit(name, wide)} {share:6.1%} ")
        console.print(line.append(bar, "cyan"))
    if draw:
        assert trace.image is not None
        weights = np.array(result["patches"])
        console.print(Text(f"  what counted ({result['method']}):", style="dim"))
        colours = color_system(console)
        print_lines(attention_pictures(trace.image, weights, drawing_width(), colours))
