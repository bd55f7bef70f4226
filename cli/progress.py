"""The screen of a training run: loss, speed, time left, one line an epoch. Ctrl-C stops it well."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from dlcc.cli.options import settings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dlcc.core.train.task import EpochEnded, Event, Finished, Started, Stepped

_SMOOTHING = 0.98  # of the loss that is shown


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


def follow(events: "Iterator[Event]", unit: str) -> "Finished":
    """Show a training while it runs, on stderr; the last event is returned.

    Args:
        events: from `training.fit`.
        unit: what an item is, in the plural: tokens, texts, images.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from dlcc.cli.console import stderr
    from dlcc.core.train.task import EpochEnded, Finished, Started, Stepped

    columns = (TextColumn("{task.description}"), BarColumn(20), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), disable=settings.quiet) as progress:
        view = _View(progress, unit)
        for event in events:
            if isinstance(event, Started):
                view.started(event)
            elif isinstance(event, Stepped):
                view.stepped(event)
            elif isinstance(event, EpochEnded):
                view.epoch_ended(event)
            elif isinstance(event, Finished):
                return event
    raise RuntimeError("the training ended without saying so")


@dataclass
class _View:
    """What the screen shows now."""

    progress: "Progress"
    unit: str
    bar: "TaskID | None" = None
    loss: float | None = None
    items: int = 0
    begun: float | None = field(default=None)
    """Seconds of training when this process took over."""

    def started(self, event: "Started") -> None:
        from dlcc.cli.console import note

        where = f"{event.device}{', bfloat16' if event.bfloat16 else ''}"
        note(
            f"{event.num_parameters:,} parameters on {where}, "
            f"{event.steps_per_epoch} steps an epoch"
        )
        if event.step:
            note(f"going on from step {event.step:,}")
        self.bar = self.progress.add_task("starting", total=1.0)

    def stepped(self, event: "Stepped") -> None:
        if self.begun is None:
            self.begun = event.seconds
        else:
            self.items += event.items
        kept = event.loss if self.loss is None else self.loss
        self.loss = _SMOOTHING * kept + (1 - _SMOOTHING) * event.loss
        text = f"epoch {event.epoch + 1}  loss {self.loss:.3f}  {self._speed(event.seconds)}"
        self._update(completed=event.progress, description=text)

    def epoch_ended(self, event: "EpochEnded") -> None:
        from rich.text import Text

        metrics = "  ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in event.metrics.items()
        )
        star = " *" if event.is_best else ""
        line = Text(f"epoch {event.epoch + 1}  {metrics}{star}")
        if event.sample:
            line.append(f"\n  {event.sample}", style="dim")
        if not settings.quiet:
            self.progress.console.print(line, soft_wrap=True)

    def _speed(self, seconds: float) -> str:
        passed = seconds - (self.begun or 0.0)
        return f"{self.items / passed:,.0f} {self.unit}/s" if passed > 0 else ""

    def _update(self, **changes: Any) -> None:
        if self.bar is not None:
            self.progress.update(self.bar, **changes)
