"""What became of a run, in a few figures; without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcc.core.errors import DlccError, UsageError
from dlcc.core.settings import name_of, settings_of
from dlcc.core.train import runs
from dlcc.core.train.folders import read_header, whole
from dlcc.core.train.metrics import read_metrics
from dlcc.core.train.recipe import recipe

STATES = ("running", "stopped", "done", "damaged")
_METRICS = ("accuracy", "bleu", "loss")  # of older runs, which do not say which decides


@dataclass(frozen=True)
class Summary:
    """A run as a list of runs shows it."""

    run: Path
    name: str
    """Its path as people would type it, or its name among all runs."""
    kind: str = ""
    """The recipe it was begun with."""
    state: str = "damaged"
    """One of `STATES`; stopped also when it was killed."""
    over: str = ""
    """Why a run that is done ended: epochs, minutes or patience."""
    why: str = ""
    """What is damaged."""
    data: str = ""
    epochs: float = 0.0
    """Trained, with the shares of those that are not whole."""
    of_epochs: int = 0
    metric: str = ""
    """What decides which epoch is best, on the validation part."""
    higher_is_better: bool = True
    best: float | None = None
    best_epoch: int | None = None
    minutes: float = 0.0
    started: str = ""
    """ISO 8601."""
    size: int = 0
    """Bytes of all its files."""
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it is trained with, by the names that people set it by; paths by their last part."""
    given: tuple[str, ...] = ()
    """The settings that its command gave."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of the best epoch, on the validation part but for the train loss."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """All that its best checkpoint says of how it was made."""

    @property
    def has_traces(self) -> bool:
        return any((self.run / "traces").glob("epoch-*.trace"))

    def curve(self, metric: str, by: str = "epochs") -> list[tuple[float, float]]:
        """(epochs or minutes, figure) of each epoch that has one.

        Raises:
            DataError: the metrics are damaged.
        """
        lines = [line for line in read_metrics(self.run) if line.get(metric) is not None]
        x = (line["epoch"] if by == "epochs" else line["seconds"] / 60 for line in lines)
        return [*zip(x, (line[metric] for line in lines), strict=True)]


def summary_of(run: Path) -> Summary:
    """What a run says of itself; a damaged one says so."""
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    try:
        return _summary(run, size)
    except (DlccError, KeyError, TypeError, ValueError, AttributeError) as error:
        return Summary(run, runs.name_of_run(run), why=str(error), size=size)


def _summary(run: Path, size: int) -> Summary:
    record = runs.read_record(run) or {}
    kind = runs.kind_of(run)
    names = _names_in(kind)
    known: dict[str, Any] = {
        "run": run,
        "name": runs.name_of_run(run),
        "kind": kind,
        "size": size,
        "started": record.get("started") or _changed(run),
        "given": tuple(names.get(name, name) for name in record.get("given", ())),
    }
    is_written = runs.is_written(run)
    if not runs.is_trained(run):  # killed before its first step; or a comparison
        result = record.get("result", {})
        state = "running" if is_written else "done" if result else "stopped"
        return Summary(**known, state=state, command=record.get("command", ""), **result)
    last, best = whole(run / "last"), whole(run / "best")
    for folder in (last, best) if best.is_dir() else (last,):
        for name in read_header(folder)["sha256"]:
            if not (folder / name).is_file():
                raise ValueError(f"{folder / name} is missing")
    about = read_header(last)["about"]
    made = read_header(best)["about"] if best.is_dir() else about
    lines, progress, fit = read_metrics(run), about.get("progress", {}), about.get("fit", {})
    figures = {**made.get("metrics", {})}
    metric = deciding(about if "metric" in about else made)
    epochs = progress.get("epochs", len(lines))
    over = progress.get("over", "epochs" if epochs >= fit.get("epochs", 0) else "")
    best_epoch = figures.pop("epoch", None)
    return Summary(
        **known,
        state="running" if is_written else "done" if over else "stopped",
        over=over,
        data=str(about.get("data", {}).get("file", "")),
        epochs=epochs,
        of_epochs=fit.get("epochs", 0),
        metric=metric,
        higher_is_better=about.get("metric", {}).get("higher_is_better", metric != "loss"),
        best=figures.get(metric),
        best_epoch=best_epoch,
        minutes=about.get("seconds", 0) / 60,
        command=about.get("command", ""),
        settings={names.get(n, n): value for n, value in about.get("settings", {}).items()},
        figures=figures,
        about=made,
    )


def deciding(about: Mapping[str, Any]) -> str:
    """The figure by which a checkpoint's epoch was chosen; nothing where there was none."""
    known = about.get("metric", {}).get("name")
    return str(known or next((each for each in _METRICS if each in about.get("metrics", {})), ""))


def _names_in(kind: str) -> dict[str, str]:
    """What people call a recipe's settings, by field; nothing where it is not installed."""
    try:
        configs = recipe(kind).configs
    except UsageError:
        return {}
    return {each.name: name_of(each) for config in configs for each in settings_of(config)}


def _changed(run: Path) -> str:
    """When a run was last written, for those that do not say when they began."""
    changed = datetime.fromtimestamp(run.stat().st_mtime).astimezone()
    return changed.isoformat(timespec="seconds")
