"""The screen of a training run: what is going on, how long yet, one line an epoch. Ctrl-C stops it
well."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from dlcc.cli.options import settings

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.text import Text

    from dlcc.core.train.task import EpochEnded, Event, Finished, Started, Stepped

_SMOOTHING = 0.98  # of the loss that is shown
_TOLD = 0.02  # share of the rest after which it is told how long it takes
_NUMBER, _NAME = 6, 12  # columns of a figure, at least and at most


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C makes the given function return True; a second one interrupts."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


class Watch:
    """Shows a training while it runs, on stderr: a bar on a terminal, a line an epoch."""

    def __init__(self, unit: str) -> None:
        """Args:
        unit: what an item is, in the plural: tokens, texts, images.
        """
        self.unit = unit
        self.epochs = 0
        self.begun: tuple[float, float] | None = None  # (time, progress) of the first step here
        self.first_seconds, self.items, self.loss = 0.0, 0, 0.0
        self.columns: dict[str, int] = {}
        self.bar: Progress | None = None
        self.text, self.left, self.speed = "starting", "", ""

    def validating(self, done: int, total: int | None) -> None:
        """Say how far the validation is."""
        if self.bar and total:
            self.text = f"{self.text.partition('  ')[0]}  validating {done / total:4.0%}"
            self._show()

    def follow(self, events: "Iterator[Event]") -> "Finished":
        """Show all events; the last one is returned."""
        from rich.progress import BarColumn, Progress, TextColumn

        from dlcc.cli.console import living, note, stderr
        from dlcc.core.train.task import EpochEnded, Finished, Started

        console = stderr()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(max(4, min(30, console.width - 72))),
            TextColumn("{task.fields[rest]}", markup=False),
        )
        silent = settings.quiet or not console.is_terminal
        self.bar = Progress(*columns, console=console, transient=True, disable=silent)
        with self.bar, living(console):
            self.bar.add_task("starting", total=1.0, rest="")
            for event in events:
                self.take(event)
                match event:
                    case Started():
                        for said in self._begin(event):
                            note(said)
                    case EpochEnded() if not settings.quiet:
                        for line in self._lines(event):
                            cut: Any = "ellipsis" if console.is_terminal else "ignore"
                            console.print(line, no_wrap=True, overflow=cut, crop=False)
                    case Finished():
                        return event
        raise RuntimeError("the training ended without saying so")

    @property
    def now(self) -> str:
        """What is going on, in a line."""
        return "  ".join(part for part in (self.text, self.left, self.speed) if part)

    def take(self, event: "Event") -> None:
        """Learn what is going on."""
        from dlcc.core.train.task import Started, Stepped, Validating

        match event:
            case Started():
                self.epochs = event.epochs
            case Stepped():
                self._step(event)
            case Validating():
                self.text = f"epoch {event.epoch + 1}/{self.epochs}  validating"
                self._show()

    def _begin(self, event: "Started") -> list[str]:
        where = f"{event.device}{', bfloat16' if event.bfloat16 else ''}"
        steps = counted(event.steps_per_epoch, "step")
        going_on = [f"going on from step {event.step:,}"] if event.step else []
        return [f"{event.num_parameters:,} parameters on {where}, {steps} an epoch", *going_on]

    def _step(self, event: "Stepped") -> None:
        now = time.monotonic()
        if self.begun is None:
            self.begun, self.first_seconds, self.loss = (
                (now, event.progress),
                event.seconds,
                event.loss,
            )
        else:
            self.items += event.items
        self.loss = _SMOOTHING * self.loss + (1 - _SMOOTHING) * event.loss
        passed = event.seconds - self.first_seconds  # here, not in the parts before a resume
        self.speed = f"{self.items / passed:,.0f} {self.unit}/s" if passed > 0 else ""
        begun, before = self.begun
        gone = event.progress - before
        if gone > _TOLD * (1 - before):
            self.left = f"{clock((now - begun) / gone * (1 - event.progress))} left"
        steps = f"{event.step_in_epoch}/{event.steps_in_epoch}"
        self.text = f"epoch {event.epoch + 1}/{self.epochs}  {steps}  loss {self.loss:.3f}"
        self._show(event.progress)

    def _show(self, progress: float | None = None) -> None:
        from dlcc.core.train.runtime import memory_in_use

        if self.bar and not self.bar.disable:
            memory = memory_in_use()
            used = f"{memory / 1e9:.1f} GB" if memory else ""
            rest = "  ".join(part for part in (self.left, self.speed, used) if part)
            task = self.bar.task_ids[0]
            self.bar.update(task, completed=progress, description=self.text, rest=rest)

    def _lines(self, event: "EpochEnded") -> "list[Text]":
        """A row of the table of epochs, its heading before the first, and the sample."""
        from rich.text import Text

        lines = []
        if not self.columns:
            room = self.bar.console.width if self.bar and self.bar.console.is_terminal else 10**6
            self.columns = _columns(event.metrics, room)
            lines += _heading(self.columns)
        figures = "".join(
            f"  {figure(event.metrics[name]):>{width}}" for name, width in self.columns.items()
        )
        best = ("  best", "bold") if event.is_best else ("", "")
        lines.append(Text.assemble(f"{event.epoch + 1:>5}{figures}", best))
        if event.sample:
            lines.append(Text(f"       {event.sample}", style="dim"))
        return lines


def figure(value: float) -> str:
    """A figure with four digits after the point, a large one with two."""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _columns(names: Iterable[str], room: int) -> dict[str, int]:
    """The figures that a row has room for, and the columns of each."""
    columns, taken = {}, len("epoch") + len("  best")
    for name in names:
        taken += 2 + _width(name)
        if taken <= room:
            columns[name] = _width(name)
    return columns


def _width(name: str) -> int:
    return max(_NUMBER, *(min(len(word), _NAME) for word in name.split("_")))


def _heading(columns: Mapping[str, int]) -> "list[Text]":
    """The names of the figures, a word below the other, and which part they are of."""
    from rich.text import Text

    words = {name: [word[:_NAME] for word in name.split("_")] for name in columns}
    height = max(map(len, words.values()))
    first = next(iter(columns))  # the training loss
    part = " " * (7 + columns[first]) + "  on the validation part:"
    lines = [Text(part, style="dim")]
    for row in range(-height, 0):
        cells = "".join(
            f"  {words[name][row] if len(words[name]) >= -row else '':>{width}}"
            for name, width in columns.items()
        )
        lines.append(Text(f"{'epoch' if row == -1 else '':>5}{cells}", style="dim"))
    return lines
