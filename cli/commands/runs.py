"""What every `train` command does around the training: its folder, its screen, its command line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dlcc.core.files.download import RemoteFile
    from dlcc.core.train.config import FitConfig
    from dlcc.core.train.events import Event, Finished
    from dlcc.core.train.task import Task

_SILENT = ("run", "resume", "quiet", "debug")  # these do not change the result
_PATHS = ("embeddings", "backbone")  # or the name of something known


def command_line(context: typer.Context, command: str) -> str:
    """The command as it was given, without folders and what does not change the result."""
    parts = [command]
    options = {option.name: option for option in context.command.params}
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if name in _SILENT or source is None or source.name != "COMMANDLINE":
            continue
        flag = (options[name].secondary_opts if value is False else options[name].opts)[0]
        is_path = isinstance(value, Path) or (name in _PATHS and isinstance(value, str))
        shown = Path(value).name if is_path else value
        parts.append(flag if isinstance(value, bool) else f"{flag} {shown}")
    return " ".join(parts)


def run_folder(run: Path | None, resume: bool, kind: str) -> Path:
    """The folder of a run: the one that was named, or one that is not there yet.

    Raises:
        UsageError: `resume` without a folder.
    """
    from dlcc.core.errors import UsageError
    from dlcc.core.files.paths import runs_dir

    if run is not None:
        return run
    if resume:
        raise UsageError("--resume needs --run FOLDER: the run to go on with")
    numbers = (runs_dir() / f"{kind}-{number:03}" for number in range(1, 100_000))
    return next(folder for folder in numbers if not folder.exists())


def train_here(
    task: "Task",
    config: "FitConfig",
    run: Path,
    resume: bool,
    unit: str,
    watch: "Callable[[Event], None] | None" = None,
) -> "Finished":
    """As `trained`; then print the best checkpoint's folder, or how to go on after Ctrl-C."""
    from dlcc.cli.console import note

    try:
        finished = trained(task, config, run, resume, unit, watch)
    except KeyboardInterrupt:
        note(f"stopped; go on with the same options and --run {run} --resume")
        raise
    name = task.metric.replace("_", " ")
    note(f"best {name} {finished.best:.4g} after {finished.seconds / 60:.1f} minutes")
    print(run / "best")
    return finished


def trained(
    task: "Task",
    config: "FitConfig",
    run: Path,
    resume: bool,
    unit: str,
    watch: "Callable[[Event], None] | None" = None,
) -> "Finished":
    """Train with progress on stderr.

    Args:
        task: what to learn.
        config: how.
        run: the run's folder.
        resume: whether to go on with it.
        unit: what an item of `task` is, in the plural.
        watch: is told every event, before the training goes on.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a resumable state was saved.
    """
    from dlcc.cli.console import note
    from dlcc.cli.progress import follow, stop_on_interrupt
    from dlcc.core.train.fit import fit

    def watched(events: "Iterator[Event]") -> "Iterator[Event]":
        for event in events:
            if watch is not None:
                watch(event)
            yield event

    note(f"run folder: {run}")
    with stop_on_interrupt() as should_stop:
        events = fit(task, config, run, resume=resume, should_stop=should_stop)
        finished = follow(watched(events), unit)
    if finished.reason == "stopped":
        raise KeyboardInterrupt
    return finished


def downloaded(file: "RemoteFile") -> Path:
    """A published file in the cache, fetched with a progress bar where it is not there yet."""
    from dlcc.cli.progress import transferring
    from dlcc.core.files.download import fetch

    with transferring(f"downloading {file.url.rpartition('/')[2]}") as progress:
        return fetch(file, progress)
