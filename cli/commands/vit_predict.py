"""`dlcc vit predict`: what a picture shows, and where the model looked."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import (
    Ablate,
    Checkpoint,
    Device,
    FileOptions,
    Json,
    Model,
    ResumeOutput,
    Runner,
    Tui,
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
_AHEAD = 2 * _BATCH  # pictures that are decoded before they are answered
_FEW = 20  # pictures whose attention is looked at unasked


def predict(
    pictures: Annotated[
        list[Path], typer.Argument(help="Picture files, and folders of such.", metavar="IMAGE")
    ],
    checkpoint: Checkpoint = None,
    model: Model = None,
    top: Annotated[int, typer.Option(help="Classes to print.", min=1)] = _TOP,
    attention: Annotated[
        bool | None,
        typer.Option(
            "--attention/--no-attention",
            help="Draw the picture and what was attended to; the default on a terminal, for files.",
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
    tui: Tui = False,
    output: FileOptions = FileOptions(),
    json_output: Json = False,
    resume_output: ResumeOutput = None,
    device: Device = "auto",
    runner: Runner = "auto",
) -> None:
    """Say what pictures show.

    The pictures of folders, and many, are answered as they are read, without attention unless it is
    asked for; --json prints an object for each.

    Examples:
        dlcc vit predict ship.png
        dlcc vit predict ship.png --tui
        dlcc vit predict cat.jpg dog.jpg --checkpoint runs/cifar --top 3
        dlcc vit predict cat.jpg --method rollout --export cat.png
    """
    from dlcc.cli.console import by_model, loading, print_json, print_results, stdout
    from dlcc.cli.draw.export import Files
    from dlcc.cli.streams import continued, in_windows
    from dlcc.core.errors import UsageError
    from dlcc.core.vit.source import PictureSource

    at_most_one(json=json_output, tui=tui)
    at_most_one(model=model is not None, checkpoint=checkpoint is not None)
    whole = "rollout" if checkpoint is not None and checkpoint.suffix == ".onnx" else "gradient"
    method = method or (whole if layer is None and head is None else "last")
    files = Files(**vars(output))
    source: Any = PictureSource(checkpoint, device, runner)
    if model is not None:
        from dlcc.core.huggingface.pictures import PictureModelSource

        source = PictureModelSource(model, device)
    shows = tui or files.wanted
    if resume_output and (shows or attention or not json_output):
        raise UsageError("--resume-output needs --json, and no attention")
    paths = [path for given in pictures for path in _pictures_in(given)]
    many = len(paths) > _FEW or any(each.is_dir() for each in pictures)
    if shows and len(paths) > _FEW:
        raise UsageError(f"attention of {len(paths):,} pictures: choose at most {_FEW}")
    with loading("torch and the model"):
        classifier = source.classifier
    if ablate is not None:
        from dlcc.cli.commands.ablate import ablated, check_ablate

        check_ablate(ablate, model)
        asked = ((str(path), partial(source.traces, str(path))) for path in paths)
        ablated(source, asked, json_output)
        return
    if tui and model is None:
        from dlcc.cli.commands.view import import_viewer

        import_viewer(classifier.runner, "attend")
    seen = not many and not resume_output if attention is None else attention
    draw = seen and not json_output and (stdout().is_terminal or attention is True)
    if attention is None and draw and model is not None and classifier.windows:
        from dlcc.cli.console import note

        draw = False
        note("a Swin model attends within windows: there is no map of the whole picture to draw")
    # Only who looks at attention pays for it.
    asks = draw or (json_output and seen) or shows or (layer, head, method) != (None, None, whole)
    results: list[dict[str, Any]] = []
    traces: list[AttentionTrace] = []
    problems = 0
    with continued(resume_output) as before:
        most = 1 if asks else _BATCH
        read = _read(classifier, paths[before:], alone=len(paths) == 1)
        for part in in_windows(read, "pictures", len(paths) - before, most):
            whole_ones = [each for _, each in part if not isinstance(each, DataError)]
            problems += len(part) - len(whole_ones)
            answers = iter([] if asks else _answered(classifier, whole_ones, top))
            for path, pixels in part:
                if isinstance(pixels, DataError):
                    if json_output and many:
                        print_json({"file": str(path), "error": str(pixels)})
                    continue
                trace = source.trace(pixels, path, top) if asks else None
                traces += [trace] if trace and shows else []  # many of them would fill the memory
                if trace:
                    result = _explained(path, trace, method, layer, head)
                else:
                    best = next(answers)
                    result = {"file": str(path), **best[0], "answers": best}
                if json_output and many:
                    print_json(result)
                elif not json_output and not tui:
                    _print(result, trace if draw else None)
                results += [result] if shows or (json_output and not many) else []
    if json_output and not many:
        print_results(results, by_model(classifier))
    if traces:
        files.write(traces, layer=layer, head=head, panels=lambda: _panels(traces, results))
    if tui and traces:
        from dlcc.cli.tui.app import view_traces

        view_traces(traces, source, layer=layer or 1, head=head or 1)
    if problems:
        raise DataError(f"{problems:,} of {len(paths):,} pictures could not be read")


def _pictures_in(path: Path) -> list[Path]:
    """The picture itself, or all in a folder, by name.

    Raises:
        DataError: the folder has none.
    """
    if not path.is_dir():
        return [path]
    from dlcc.core.files.paths import being_read
    from dlcc.core.files.walk import files_in
    from dlcc.core.vit.pictures import suffixes

    endings = suffixes()
    with being_read(path):
        found = [file for name, file in files_in(path) if name.lower().endswith(endings)]
    if not found:
        raise DataError(f"{path} holds no pictures")
    return found


def _read(
    classifier: "PictureClassifier", paths: list[Path], alone: bool
) -> "Iterator[tuple[Path, np.ndarray | DataError]]":
    """Pictures, or why one cannot be read, in their order; decoded while others are answered.

    Raises:
        DataError: the only one cannot be read.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    from dlcc.cli.console import warn

    def one(path: Path) -> "np.ndarray | DataError":
        try:
            return classifier.read(path)
        except DataError as error:
            if alone:
                raise
            return error

    waiting: deque[tuple[Path, Future[np.ndarray | DataError]]] = deque()

    def first() -> "tuple[Path, np.ndarray | DataError]":
        path, reading = waiting.popleft()
        found = reading.result()
        if isinstance(found, DataError):
            warn(str(found))
        return path, found

    with ThreadPoolExecutor() as pool:
        try:
            for path in paths:
                waiting.append((path, pool.submit(one, path)))
                if len(waiting) > _AHEAD:
                    yield first()
            while waiting:
                yield first()
        finally:
            pool.shutdown(cancel_futures=True)


def _answered(
    classifier: "PictureClassifier", pixels: "list[np.ndarray]", top: int
) -> list[list[dict[str, Any]]]:
    """The most probable classes of each picture."""
    import numpy as np

    from dlcc.cli.draw.words import answers_as_json
    from dlcc.core.vit.source import top_answers

    if not pixels:
        return []
    found = classifier.answer(np.stack(pixels))
    return [answers_as_json(top_answers(classifier, each, top)) for each in found]


def _explained(
    path: Path,
    trace: "AttentionTrace",
    method: str,
    layer: int | None,
    head: int | None,
) -> dict[str, Any]:
    """JSON values: the answers, and how much each patch counted."""
    from dlcc.cli.draw.words import answers_as_json
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
        **dict(zip(("label", "probability"), trace.details["answers"][0], strict=True)),
        "answers": answers_as_json(trace.details["answers"]),
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
        answers = [(answer["label"], answer["probability"]) for answer in result["answers"]]
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
    if trace:  # first: it may be as high as the screen, and the answer is to be seen
        assert trace.image is not None
        weights = np.array(result["patches"])
        console.print(Text(f"  what counted ({result['method']}):", style="dim"))
        colours = color_system(console)
        print_lines(attention_pictures(trace.image, weights, drawing_width(), colours))
    names = [answer["label"] for answer in result["answers"]]
    wide = max(map(cell_len, names))
    for name, answer in zip(names, result["answers"], strict=True):
        share = answer["probability"]
        bar = "█" * round(share * _BAR)
        line = Text(f"  {fit(name, wide)} {share:6.1%} ")
        console.print(line.append(bar, "cyan"))
