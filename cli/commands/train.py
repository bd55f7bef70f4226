"""The train commands, one for every recipe: its settings are the options; and `dlcc resume`."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli import console
from dlcc.cli.commands.runs import uses
from dlcc.cli.groups import LazyGroup, command_of
from dlcc.cli.options import Device, Seed, in_words, options_of, settings, with_parameters
from dlcc.core.errors import DataError, DlccError, UsageError
from dlcc.core.files.paths import being_read, runs_dir
from dlcc.core.train import runs
from dlcc.core.train.config import FitConfig
from dlcc.core.train.folders import read_about
from dlcc.core.train.recipe import Chosen, Recipe, names, recipe, without_folder
from dlcc.core.train.summary import Summary, summary_of

if TYPE_CHECKING:
    from dlcc.cli.progress import Watch
    from dlcc.core.trace.trace import AttentionTrace
    from dlcc.core.train.task import Event, Finished, Task

Run = Annotated[
    Path | None, typer.Option(help="Folder of the run; made anew when left out.", metavar="FOLDER")
]
Resumed = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --run, as it was begun.")
]

Tui = Annotated[
    bool,
    typer.Option("--tui", help="Watch it on the whole screen: curves, and the sample's attention."),
]

_SILENT = ("tui", "run", "resume", "quiet", "debug")  # these do not change the result


def train_command(name: str) -> Callable[..., None]:
    """The function behind `dlcc ... train` for the recipe of that name, for Typer to read."""
    found = recipe(name)

    def train(
        context: typer.Context,
        run: Run = None,
        resume: Resumed = False,
        preset: Annotated[str, _preset_option(found)] = next(iter(found.presets)),
        seed: Seed = 0,
        device: Device = "auto",
        tui: Tui = False,
        **given: Any,
    ) -> None:
        if resume and run is None:
            raise UsageError("--resume needs --run FOLDER: the run to go on with")
        if resume:
            others = {"preset": preset, "seed": seed, "device": device}
            _go_on(context, name, runs.find_run(str(run)), given, others, tui)
            return
        if run and runs.is_trained(run):
            raise UsageError(
                f"holds a training: resume it by {resume_line(run)}, or choose another", "run", run
            )
        options = {"seed": seed, "device": device, "command": command_line(context)}
        chosen = found.choose(given, preset, **options)
        chosen.make(FitConfig)  # complains before the long work
        task = found.task(chosen, console)
        with runs.alone_in(run := run or new_run_folder(name)):
            train_here(name, chosen, task, run, tui)

    train.__doc__ = found.help
    return with_parameters(train, options_of(found.configs))


def resume(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(help="Its folder, or its name among all runs.", metavar="RUN")
    ],
) -> None:
    """Go on with a training that was stopped or killed, as it was begun.

    Options of its training may follow RUN: epochs, minutes, patience, device and batch size may
    change, and data may have moved. Anything else would be another training and is refused.
    """
    found = runs.find_run(run)
    command = command_of(_resume_command(found), "resume")
    command.main(context.args, prog_name=f"dlcc resume {run}", standalone_mode=False)


resume.context_settings = {  # type: ignore[attr-defined]
    "ignore_unknown_options": True,
    "allow_extra_args": True,
}


def _resume_command(run: Path) -> Callable[..., None]:
    """What takes the options that follow `dlcc resume RUN`."""
    name = runs.kind_of(run)
    found = recipe(name)

    def go_on(
        context: typer.Context,
        preset: Annotated[str, _preset_option(found)] = next(iter(found.presets)),
        seed: Seed = 0,
        device: Device = "auto",
        tui: Tui = False,
        **given: Any,
    ) -> None:
        others = {"preset": preset, "seed": seed, "device": device}
        _go_on(context, name, run, given, others, tui)

    return with_parameters(go_on, options_of(found.configs))


def _go_on(
    context: typer.Context,
    name: str,
    run: Path,
    given: dict[str, Any],
    others: dict[str, Any],
    tui: bool,
) -> None:
    """Train on from where a run was stopped or killed, with what it was begun with."""
    found = recipe(name)
    asked = {each: value for each, value in others.items() if _is_given(context, each)}
    if (kind := runs.kind_of(run)) != name:
        raise UsageError(f"holds a training of {kind}, not of {name}", "run", run)
    with runs.alone_in(run):
        record = runs.read_record(run)
        if record is None:
            about = read_about(run / "last")
            preset, before = asked.pop("preset", None), about.get("settings", {})
            asked = {"seed": 0, **asked, "command": command_line(context), "resumed": run}
            chosen = found.choose(given, preset, **asked)
            found.check_resumable(chosen, before)
        else:
            with being_read(run / runs.RECORD):
                options = " ".join(_options_given(context))
                command = _resumed_by(str(record["command"]), options)
                asked["resumed"] = run if runs.is_trained(run) else None
                chosen = found.again(record, given, **asked, command=command)
                before = found.settings_before(record)
        chosen.make(FitConfig)  # complains before the long work
        for effect in found.effects(chosen, before):
            console.warn(in_words(effect))
        train_here(name, chosen, found.task(chosen, console), run, tui)


def _resumed_by(command: str, options: str) -> str:
    """How a run was started, with the options that it is gone on with."""
    return command if not options or command.endswith(options) else f"{command}; then {options}"


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
    return " ".join([f"dlcc {context.command_path.partition(' ')[2]}", *_options_given(context)])


def _options_given(context: typer.Context) -> Iterator[str]:
    options = {option.name: option for option in context.command.params}
    for name, value in context.params.items():
        if name in _SILENT or not _is_given(context, name):
            continue
        flag = (options[name].secondary_opts if value is False else options[name].opts)[0]
        several = [*value] if options[name].multiple else [value]
        for shown in without_folder(name, several):
            if isinstance(shown, tuple):
                shown = ",".join(map(str, shown)) or "none"
            yield flag if isinstance(shown, bool) else f"{flag} {shown}"


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def resume_line(run: Path) -> str:
    """The command that goes on with a run, to paste."""
    return f"dlcc resume {shlex.quote(run.name if run.parent == runs_dir() else str(run))}"


def new_run_folder(kind: str) -> Path:
    """A folder for a run, made at once: what starts at the same time takes another.

    Raises:
        DataError: it cannot be made.
    """
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


def train_here(name: str, chosen: Chosen, task: "Task", run: Path, tui: bool = False) -> "Finished":
    """As `trained`; then say what was reached and what comes next, and print the best checkpoint's
    folder; or how to go on after Ctrl-C."""
    try:
        finished = trained(name, chosen, task, run, tui)
    except KeyboardInterrupt:
        console.note(f"stopped; go on with: {resume_line(run)}")
        raise
    _say_end(name, chosen, summary_of(run))
    console.put(str(run / "best"))
    return finished


def _say_end(name: str, chosen: Chosen, reached: Summary) -> None:
    """How far a training came and how good it is, and commands to paste."""
    from dlcc.cli.draw.runs import called, plot

    share, minutes = reached.epochs, f"{reached.minutes:.1f} minutes"
    trained = f"{share:.2g}" if share < 10 else f"{share:.1f}".removesuffix(".0")
    why = {
        "minutes": ": the time was over",
        "patience": f": {chosen['patience']} of them without a better one",
    }.get(reached.over, "")
    console.note(f"trained {trained} of {reached.of_epochs} epochs in {minutes}{why}")
    if share < 1:
        console.warn(f"only {share:.0%} of the data was learned from: give it more minutes")
    if reached.best is not None:
        figure = f"{called(reached.metric)} {reached.best:.4g}"
        console.note(f"best: {figure} on the validation part, epoch {reached.best_epoch}")
    if usual := recipe(name).usual_of(chosen):
        console.note(f"preset {chosen.preset}, usually: {usual}")
    shown = console.stderr()
    if shown.is_terminal and not settings.quiet and len(reached.curve(reached.metric)) > 1:
        for line in plot({reached.metric: reached}, reached.metric, height=6, width=shown.width):
            shown.print(line, no_wrap=True, crop=False)
    for said in ("next:", *(f"  {use}" for use in uses(reached))):
        console.note(said)


def trained(name: str, chosen: Chosen, task: "Task", run: Path, tui: bool = False) -> "Finished":
    """Train with progress on stderr, in a folder that no other process writes into.

    Args:
        name: of the recipe.
        chosen: what was set; whether the run is gone on with.
        task: what to learn.
        run: the run's folder.
        tui: whether to show it on the whole screen, where there is one.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a resumable state was saved.
    """
    from dlcc.cli.progress import Watch, stop_on_interrupt
    from dlcc.core.train.fit import fit

    resume = chosen.resumed is not None
    task.about["settings"] = chosen.settings()
    console.note(f"run folder: {run}")
    if not resume:
        runs.write_record(run, name, chosen.begun())
    watch = Watch(recipe(name).unit)
    how: Any = {"resume": resume, "progress": watch.validating}
    with stop_on_interrupt() as interrupted:
        stops = [interrupted]
        events = fit(task, chosen.make(FitConfig), run, should_stop=lambda: _any(stops), **how)
        events = _recorded(events, run, name, chosen)
        finished = _watched(task, events, watch, run, stops) if tui else None
        finished = finished or watch.follow(events)
    if resume and not watch.begun:
        console.note("nothing was left to train: give more epochs or minutes")
    if finished.reason == "stopped":
        raise KeyboardInterrupt
    return finished


def _recorded(events: "Iterator[Event]", run: Path, name: str, chosen: Chosen) -> "Iterator[Event]":
    """The events of a training; what was changed is kept for the next time once it goes on."""
    yield next(events)
    runs.write_record(run, name, chosen.begun())
    yield from events


def _any(asked: "list[Callable[[], bool]]") -> bool:
    return any(each() for each in asked)


def _watched(
    task: "Task",
    events: "Iterator[Event]",
    watch: "Watch",
    run: Path,
    stops: "list[Callable[[], bool]]",
) -> "Finished | None":
    """Show a training on the whole screen; None where it was left, or where there is no screen."""
    import torch

    from dlcc.cli.tui.app import is_interactive
    from dlcc.cli.tui.training import TrainingApp

    if not is_interactive():
        console.warn("--tui: no terminal to draw on; it is told in lines")
        return None

    def traces() -> "list[AttentionTrace]":
        task.model.eval()
        with torch.no_grad():
            found = task.traces()
        task.model.train()
        return found

    app = TrainingApp(events, watch, run, task.metric, traces)
    stops.append(lambda: app.stopping)
    app.run()
    if app.failure:
        raise app.failure
    return app.finished
