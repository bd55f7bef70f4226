"""The train commands, one for every recipe: its settings are the options."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli import console
from dlcc.cli.groups import LazyGroup, command_of
from dlcc.cli.options import Device, Seed, options_of, with_parameters
from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.train.config import FitConfig
from dlcc.core.train.recipe import Recipe, names, recipe, without_folder

if TYPE_CHECKING:
    from dlcc.core.train.task import Finished, Task

Run = Annotated[
    Path | None, typer.Option(help="Folder of the run; made anew when left out.", metavar="FOLDER")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --run.")]

_SILENT = ("run", "resume", "quiet", "debug")  # these do not change the result


def train_command(name: str) -> Callable[..., None]:
    """The function behind `dlcc ... train` for the recipe of that name, for Typer to read."""
    found = recipe(name)

    def train(
        context: typer.Context,
        run: Run = None,
        resume: Resume = False,
        preset: Annotated[str, _preset_option(found)] = next(iter(found.presets)),
        seed: Seed = 0,
        device: Device = "auto",
        **given: Any,
    ) -> None:
        if resume and run is None:
            raise UsageError("--resume needs --run FOLDER: the run to go on with")
        chosen = found.choose(
            given,
            preset,
            seed=seed,
            device=device,
            resumed=run if resume else None,
            command=command_line(context),
        )
        config: FitConfig = chosen.make(FitConfig)
        if chosen.resumed:
            from dlcc.core.train.checkpoint import read_about

            found.check_resumable(chosen, read_about(chosen.resumed / "last").get("settings", {}))
        task = found.task(chosen, console)
        task.about["settings"] = chosen.settings()
        train_here(task, config, run or new_run_folder(name), resume, found.unit)

    train.__doc__ = found.help
    return with_parameters(train, options_of(found.configs))


class Recipes(LazyGroup):
    """The recipes that are installed, a stranger's like our own: `dlcc train NAME`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in names():
            self.commands[cmd_name] = command_of(_or_why_not(cmd_name), cmd_name)
        return self.commands.get(cmd_name)


def _or_why_not(name: str) -> Callable[..., None]:
    """The train command of a recipe; of one that cannot be loaded, a command that says so."""
    try:
        return train_command(name)
    except DlccError as error:
        broken = error

    def fail() -> None:
        raise broken

    fail.__doc__ = broken.why
    return fail


def _preset_option(found: Recipe) -> Any:
    *some, last = found.presets
    said = f"{', '.join(some)} or {last}" if some else last
    return typer.Option(help=f"Where other settings come from: {said}.", metavar="NAME")


def command_line(context: typer.Context) -> str:
    """The command as it was given, without folders and what does not change the result."""
    parts = [f"dlcc {context.command_path.partition(' ')[2]}"]
    options = {option.name: option for option in context.command.params}
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name in _SILENT or source is None or source.name != "COMMANDLINE":
            continue
        flag = (options[name].secondary_opts if value is False else options[name].opts)[0]
        several = [*value] if options[name].multiple else [value]
        for shown in without_folder(name, several):
            if isinstance(shown, tuple):
                shown = ",".join(map(str, shown)) or "none"
            parts.append(flag if isinstance(shown, bool) else f"{flag} {shown}")
    return " ".join(parts)


def new_run_folder(kind: str) -> Path:
    """A folder for a run, made at once: what starts at the same time takes another.

    Raises:
        DataError: it cannot be made.
    """
    from dlcc.core.files.paths import runs_dir

    number = 0
    while True:
        number += 1
        folder = runs_dir() / f"{kind}-{number:03}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise DataError(f"cannot write {folder}: {error.strerror}") from error


def train_here(task: "Task", config: FitConfig, run: Path, resume: bool, unit: str) -> "Finished":
    """As `trained`; then print the best checkpoint's folder, or how to go on after Ctrl-C."""
    try:
        finished = trained(task, config, run, resume, unit)
    except KeyboardInterrupt:
        console.note(f"stopped; go on with the same options and --run {run} --resume")
        raise
    name = task.metric.replace("_", " ")
    console.note(f"best {name} {finished.best:.4g} after {finished.seconds / 60:.1f} minutes")
    console.put(str(run / "best"))
    return finished


def trained(task: "Task", config: FitConfig, run: Path, resume: bool, unit: str) -> "Finished":
    """Train with progress on stderr.

    Args:
        task: what to learn.
        config: how.
        run: the run's folder.
        resume: whether to go on with it.
        unit: what an item of `task` is, in the plural.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a resumable state was saved.
    """
    from dlcc.cli.progress import follow, stop_on_interrupt
    from dlcc.core.train.fit import fit

    console.note(f"run folder: {run}")
    with stop_on_interrupt() as should_stop:
        finished = follow(fit(task, config, run, resume=resume, should_stop=should_stop), unit)
    if finished.reason == "stopped":
        raise KeyboardInterrupt
    return finished
