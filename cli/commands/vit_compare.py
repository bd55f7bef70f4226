"""`dlcc vit compare`: without CutMix, with CutMix and pretrained, at equal minutes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from dlcc.cli.commands.together import refuse_together
from dlcc.cli.commands.vit_eval import Data
from dlcc.cli.options import ClassesAt, Device, Json

if TYPE_CHECKING:
    from dlcc.core.vit.task import VisionTask


@dataclass(frozen=True)
class Outcome:
    """One training of one kind."""

    kind: str
    seed: int
    parameters: int
    epochs: int
    minutes: float
    validation: float
    test: float
    curve: list[tuple[float, float]]
    """(minutes, validation accuracy) of each epoch."""


def compare(
    data: Data = None,
    classes_at: ClassesAt = None,
    minutes: Annotated[float, typer.Option(help="Training time of each.", min=0.001)] = 10.0,
    seeds: Annotated[int, typer.Option(help="Trainings of each, seeds 0, 1, ...", min=1)] = 1,
    preset: Annotated[
        str,
        typer.Option(
            help="The model from scratch: best, plain or book.",
            metavar="NAME",
            autocompletion=lambda: ["best", "plain", "book"],
        ),
    ] = "book",
    backbone: Annotated[
        str | None,
        typer.Option(help="The pretrained one, as in train; left out, two are compared."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the pictures for the backbone.", metavar="PIXELS")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of all trainings; those that are there are gone on with."),
    ] = None,
    json_output: Json = False,
    device: Device = "auto",
) -> None:
    """Train without CutMix, with CutMix and from a backbone, each for --minutes.

    Examples:
        dlcc vit compare --minutes 20
        dlcc vit compare --data pictures --minutes 8 --seeds 3
    """
    refuse_together()
    from dlcc.cli.commands.training import new_run_folder
    from dlcc.cli.console import note, print_results
    from dlcc.core.vit.config import RECIPE

    RECIPE.choose({}, preset)  # complains before the long work
    folder = run or new_run_folder("vit-compare")
    if backbone is None:
        note("no --backbone: the pretrained model is left out")
    outcomes = []
    for seed in range(seeds):
        for kind in _kinds(backbone):
            note(f"{kind}, seed {seed}")
            where = folder / f"{kind.replace(' ', '-')}-{seed}"
            options = {"minutes": minutes, "preset": preset, "size": size, "device": device}
            options["classes_at"] = classes_at
            try:
                outcomes.append(_outcome(kind, seed, where, data, backbone, options))
            except KeyboardInterrupt:
                note(f"stopped; go on with the same options and --run {folder}")
                raise
    if json_output:
        print_results(asdict(outcome) for outcome in outcomes)
    else:
        _print(outcomes)


def _kinds(backbone: str | None) -> list[str]:
    return ["without CutMix", "with CutMix"] + ["pretrained"] * (backbone is not None)


def _outcome(
    kind: str,
    seed: int,
    run: Path,
    data: Path | None,
    backbone: str | None,
    options: dict[str, Any],
) -> Outcome:
    """Train, or go on where an earlier call was stopped, and score the best weights."""
    from dlcc.cli import console
    from dlcc.cli.commands.training import trained
    from dlcc.core.files.paths import being_read
    from dlcc.core.nn.layers import count_parameters
    from dlcc.core.train import runs
    from dlcc.core.train.metrics import METRICS, read_metrics
    from dlcc.core.train.runtime import choose_device
    from dlcc.core.vit.classifier import PictureClassifier
    from dlcc.core.vit.config import RECIPE
    from dlcc.core.vit.score import score_pictures

    minutes, pretrained = options["minutes"], kind == "pretrained"
    given = {
        "data": data,
        "classes_at": options["classes_at"],
        "cutmix": kind == "with CutMix",
        "minutes": minutes,
        # Epochs enough for any machine, so that the minutes alone end the schedule.
        "epochs": max(1000, int(100 * minutes)),
        "backbone": backbone if pretrained else None,
        "image_size": options["size"] if pretrained else None,
    }
    command = f"dlcc vit compare, {kind}, {minutes} minutes"
    others = {"seed": seed, "device": options["device"], "command": command}
    with runs.alone_in(run):
        record = runs.read_record(run)
        others["resumed"] = run if runs.is_trained(run) else None
        if record is None:
            chosen = RECIPE.choose(given, options["preset"], **others)
        else:
            with being_read(run / runs.RECORD):
                chosen = RECIPE.again(record, given, options["preset"], **others)
        task = cast("VisionTask", RECIPE.task(chosen, console))
        trained("vit", chosen, task, run)
    best = PictureClassifier.load(run, choose_device(options["device"]))
    test = score_pictures(best, task.data.test).accuracy
    lines = read_metrics(run)
    with being_read(run / METRICS):
        curve = [(line["seconds"] / 60, line["accuracy"]) for line in lines]
        return Outcome(
            kind,
            seed,
            count_parameters(task.model.parameters()),
            len(curve),
            curve[-1][0],
            max(accuracy for _, accuracy in curve),
            test,
            curve,
        )


def _print(outcomes: list[Outcome]) -> None:
    """A table, means and standard deviations over the seeds, what is gained over the first kind,
    and the curves of the first seed."""
    from statistics import mean

    from dlcc.cli.console import drawing_width, print_lines, stdout
    from dlcc.cli.draw.curves import draw_curves
    from dlcc.cli.draw.scores import table

    console = stdout()
    shown = table("", "parameters", "epochs", "minutes", "validation", "test")
    kinds = list(dict.fromkeys(outcome.kind for outcome in outcomes))
    for kind in kinds:
        own = [outcome for outcome in outcomes if outcome.kind == kind]
        shown.add_row(
            kind,
            f"{own[0].parameters:,}",
            f"{mean(outcome.epochs for outcome in own):.0f}",
            f"{mean(outcome.minutes for outcome in own):.1f}",
            _spread([outcome.validation for outcome in own]),
            _spread([outcome.test for outcome in own]),
        )
    console.print(shown)
    for kind in kinds[1:]:
        gains = _gains(outcomes, kind, kinds[0])
        console.print(f"{kind} against {kinds[0]}: {_spread(gains, '+')} of the test pictures")
    curves = {kind: next(o.curve for o in outcomes if o.kind == kind) for kind in kinds}
    console.print(f"validation accuracy, seed {outcomes[0].seed}", style="dim")
    print_lines(draw_curves(curves, drawing_width(100), x_name="minutes"))


def _gains(outcomes: list[Outcome], kind: str, base: str) -> list[float]:
    """How much more of the test pictures `kind` gets right than `base`, seed by seed."""
    tests = {(outcome.kind, outcome.seed): outcome.test for outcome in outcomes}
    return [tests[kind, seed] - tests[base, seed] for name, seed in tests if name == kind]


def _spread(values: list[float], sign: str = "") -> str:
    """Mean in percent, with the standard deviation where there are several."""
    from statistics import mean, stdev

    text = f"{mean(values):{sign}.2%}"
    return text + (f" ± {100 * stdev(values):.2f}" if len(values) > 1 else "")
