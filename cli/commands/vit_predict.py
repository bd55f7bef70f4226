"""`dlcc vit predict`: what a picture shows, and where the model looked."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import (
    Ablate,
    Checkpoint,
    Device,
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
from dlcc.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from dlcc.cli.draw.figure.panels import Panel
    from dlcc.core.trace.trace import AttentionTrace
    from dlcc.core.vit.classifier import PictureClassifier

_BAR = 30  # cells of a probability of 1
_TOP = 5  # classes that are printed unasked
_BATCH = 32  # pictures that are answered at a time where none is drawn


def predict(
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.", metavar="IMAGE")],
    checkpoint: Checkpoint = None,
    model: Model = None,
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
    ablate: Ablate = None,
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
    """Say what pictures show."""
    from dlcc.cli.console import loading, print_json, stdout
    from dlcc.cli.draw.export import Files
    from dlcc.core.vit.source import PictureSource

    at_most_one(json=json_output, tui=tui)
    at_most_one(model=model is not None, checkpoint=checkpoint is not None)
    whole = "rollout" if checkpoint is not None and checkpoint.suffix == ".onnx" else "gradient"
    method = method or (whole if layer is None and head is None else "last")
    files = Files(save, export_to, theme, title, force)
    source: Any = PictureSource(checkpoint, device, runner)
    if model is not None:
        from dlcc.core.huggingface.pictures import PictureModelSource

        source = PictureModelSource(model, device)
    with loading("torch and the model"):
        source.classifier  # noqa: B018 - loaded now
    if ablate is not None:
        from dlcc.cli.commands.ablate import ablated, check_ablate

        check_ablate(ablate, model)
        asked = ((str(path), partial(source.traces, str(path))) for path in pictures)
        ablated(source, asked, json_output)
        return
    draw = stdout().is_terminal and not json_output if attention is None else attention
    if attention is None and draw and model is not None and source.classifier.windows:
        from dlcc.cli.console import note

        draw = False
        note("a Swin model attends within windows: there is no map of the whole picture to draw")
    shows = tui or files.wanted
    # Only who looks at attention pays for it.
    asks = draw or json_output or shows or (layer, head, method) != (None, None, whole)
    results: list[dict[str, Any]] = []
    traces: list[AttentionTrace] = []
    problems: list[Path] = []
    for batch in _batches(source.classifier, pictures, 1 if asks else _BATCH, problems):
        if not asks:
            _print_answers(source.classifier, batch, top)
            continue
        ((path, pixels),) = batch
        trace = source.trace(pixels, path, top)
        traces += [trace] if shows else []  # many of them would fill the memory
        result = _explained(path, trace, method, layer, head)
        results += [result] if shows or json_output else []
        if not json_output and not tui:
            _print(result, trace if draw else None)
    if json_output:
        print_json(results)
    if traces:
        files.write(traces, layer=layer, head=head, panels=lambda: _panels(traces, results))
    if tui and traces:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=layer or 1, head=head or 1)
    if problems:
        raise DataError(f"{len(problems)} of {len(pictures)} pictures could not be read")


def _batches(
    classifier: "PictureClassifier", paths: list[Path], size: int, problems: list[Path]
) -> "Iterator[list[tuple[Path, np.ndarray]]]":
    """The pictures that can be read, `size` at a time; those that cannot become `problems`.

    Raises:
        DataError: the only one cannot be read.
    """
    from dlcc.cli.console import warn

    batch = []
    for path in paths:
        try:
            batch.append((path, classifier.read(path)))
        except DataError as error:
            if len(paths) == 1:
                raise
            problems.append(path)
            warn(str(error))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _print_answers(
    classifier: "PictureClassifier", batch: "list[tuple[Path, np.ndarray]]", top: int
) -> None:
    import numpy as np

    from dlcc.core.vit.source import top_answers

    probabilities = classifier.answer(np.stack([pixels for _, pixels in batch]))
    for (path, _), each in zip(batch, probabilities, strict=True):
        _print({"file": str(path), "answers": _as_json(top_answers(classifier, each, top))})


def _as_json(answers: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"class": name, "probability": probability} for name, probability in answers]


def _explained(
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
        "answers": _as_json(trace.details["answers"]),
        "method": ", ".join([method, *where]),
        "patches": [[round(float(value), 6) for value in row] for row in weights],
    }


def _panels(traces: "list[AttentionTrace]", results: list[dict[str, Any]]) -> "list[Panel]":
    """Each picture with its classes, and where the model looked."""
    import numpy as np

    from dlcc.cli.draw.figure.pictures import answer_panel

    panels: list[Panel] = []
    for trace, result in zip(traces, results, strict=True):
        assert trace.image is not None
        answers = [(answer["class"], answer["probability"]) for answer in result["answers"]]
        name, patches = Path(result["file"]).name, np.array(result["patches"])
        panels.append(answer_panel(trace.image, patches, name, answers, result["method"]))
    return panels


def _print(result: dict[str, Any], trace: "AttentionTrace | None" = None) -> None:
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
    if trace:
        assert trace.image is not None
        weights = np.array(result["patches"])
        console.print(Text(f"  what counted ({result['method']}):", style="dim"))
        colours = color_system(console)
        print_lines(attention_pictures(trace.image, weights, drawing_width(), colours))
