"""The screen of a training run: loss, speed, time left, one line an epoch. Ctrl-C stops it well."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from dlcc.cli.options import settings

if TYPE_CHECKING:
    from rich.text import Text

    from dlcc.core.train.task import EpochEnded, Event, Finished, Started

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
        bar = progress.add_task("starting", total=1.0, visible=False)
        begun, items, loss = None, 0, None
        for event in events:
            match event:
                case Started():
                    _say_start(event)
                    progress.update(bar, visible=True)
                case Stepped():
                    if begun is None or loss is None:
                        begun, loss = event.seconds, event.loss
                    else:
                        items += event.items
                    loss = _SMOOTHING * loss + (1 - _SMOOTHING) * event.loss
                    passed = event.seconds - begun  # here, not in the parts before a resume
                    speed = f"{items / passed:,.0f} {unit}/s" if passed > 0 else ""
                    text = f"epoch {event.epoch + 1}  loss {loss:.3f}  {speed}"
                    progress.update(bar, completed=event.progress, description=text)
                case EpochEnded():
                    if not settings.quiet:
                        progress.console.print(_epoch(event), soft_wrap=True)
                case Finished():
                    return event
    raise RuntimeError("the training ended without saying so")


def _say_start(event: "Started") -> None:
    from dlcc.cli.console import note

    where = f"{event.device}{', bfloat16' if event.bfloat16 else ''}"
    note(f"{event.num_parameters:,} parameters on {where}, {event.steps_per_epoch} steps an epoch")
    if event.step:
        note(f"going on from step {event.step:,}")


def _epoch(event: "EpochEnded") -> "Text":
    from rich.text import Text

    metrics = "  ".join(
        f"{name.replace('_', ' ')} {value:.4g}" for name, value in event.metrics.items()
    )
    line = Text(f"epoch {event.epoch + 1}  {metrics}{' *' * event.is_best}")
    return line.append(f"\n  {event.sample}", style="dim") if event.sample else line
