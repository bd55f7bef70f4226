"""A training from its first to its last word: its folder, its screen, what was reached."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.cli import console
from dlcc.cli.commands.runs import uses
from dlcc.cli.options import settings
from dlcc.core.errors import DataError
from dlcc.core.files.paths import runs_dir
from dlcc.core.train import runs
from dlcc.core.train.config import FitConfig
from dlcc.core.train.distributed import team
from dlcc.core.train.recipe import Chosen, recipe
from dlcc.core.train.summary import Summary, summary_of

if TYPE_CHECKING:
    from dlcc.cli.progress import Watch
    from dlcc.core.trace.trace import AttentionTrace
    from dlcc.core.train.task import Event, Finished, Task


@dataclass(frozen=True)
class Shown:
    """Where a training is told of, besides in lines."""

    tui: bool = False
    """On the whole screen, where there is one."""
    tensorboard: bool = False


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


def train_here(
    name: str, chosen: Chosen, task: "Task", run: Path, shown: Shown = Shown()
) -> "Finished":
    """As `trained`; then say what was reached and what comes next, and print the best checkpoint's
    folder; or how to go on after Ctrl-C."""
    try:
        finished = trained(name, chosen, task, run, shown)
    except KeyboardInterrupt:
        console.note(f"stopped; go on with: {resume_line(run)}")
        raise
    if team().leads:
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


def trained(
    name: str, chosen: Chosen, task: "Task", run: Path, shown: Shown = Shown()
) -> "Finished":
    """Train with progress on stderr, in a folder that no other process writes into.

    Args:
        name: of the recipe.
        chosen: what was set; whether the run is gone on with.
        task: what to learn.
        run: the run's folder.
        shown: how.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a resumable state was saved.
    """
    from dlcc.cli.progress import Watch, stop_on_interrupt
    from dlcc.core.train.fit import fit

    resume = chosen.resumed is not None
    settings, built = chosen.settings(), task.config.get("encoder", task.config)
    # A model that was trained before brought its own sizes.
    task.about["settings"] = settings | {n: built[n] for n in settings.keys() & built.keys()}
    console.note(f"run folder: {run}")
    if not resume and team().leads:
        runs.write_record(run, name, chosen.begun())
    watch = Watch(recipe(name).unit)
    how: Any = {"resume": resume, "progress": watch.validating}
    with stop_on_interrupt() as interrupted:
        stops = [interrupted]
        events = fit(task, chosen.make(FitConfig), run, should_stop=lambda: _any(stops), **how)
        if team().leads:
            events = _recorded(events, run, name, chosen)
        if shown.tensorboard and team().leads:
            from dlcc.core.train.board import written

            events = written(events, run)
        finished = _watched(task, events, watch, run, stops) if shown.tui and team().leads else None
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

    from dlcc.cli.tui.app import is_interactive, take_keyboard
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
    take_keyboard()
    app.run()
    if app.failure:
        raise app.failure
    return app.finished
