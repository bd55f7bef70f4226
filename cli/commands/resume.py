"""`dlcc resume`: go on with any training from its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dlcc.cli.commands.train import Board, Tui, go_on, preset_option
from dlcc.cli.commands.training import Shown
from dlcc.cli.groups import command_of
from dlcc.cli.options import Device, Seed, options_of, with_parameters
from dlcc.core.train import runs
from dlcc.core.train.recipe import recipe


def resume(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(help="Its folder, or its name among all runs.", metavar="RUN")
    ],
) -> None:
    """Go on with a training that was stopped or killed, as it was begun.

    Options of its training may follow RUN: epochs, minutes, patience, device and batch size may
    change, and data may have moved. Anything else would be another training and is refused.

    Examples:
        dlcc resume vit-001
        dlcc resume runs/mine --epochs 30
    """
    found = runs.find_run(run)
    arguments = context.args
    if runs.kind_of(found) == "attend":  # a comparison of trainings
        from dlcc.cli.commands.attend_train import train

        command = command_of(train, "resume")
        arguments = [*arguments, "--run", str(found), "--resume"]
    else:
        command = command_of(_resume_command(found), "resume")
    command.main(arguments, prog_name=f"dlcc resume {run}", standalone_mode=False)


resume.context_settings = {  # type: ignore[attr-defined]
    "ignore_unknown_options": True,
    "allow_extra_args": True,
}


def _resume_command(run: Path) -> Callable[..., None]:
    """What takes the options that follow `dlcc resume RUN`."""
    name = runs.kind_of(run)
    found = recipe(name)

    def resumed(
        context: typer.Context,
        preset: Annotated[str, preset_option(found)] = next(iter(found.presets)),
        seed: Seed = 0,
        device: Device = "auto",
        tui: Tui = False,
        tensorboard: Board = False,
        **given: Any,
    ) -> None:
        others = {"preset": preset, "seed": seed, "device": device}
        go_on(context, name, run, given, others, Shown(tui, tensorboard))

    return with_parameters(resumed, options_of(found.configs, found.presets))
