"""What screens ask of the app: they post it, and it bubbles up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from dlcc.core.trace.trace import AttentionTrace

Traces = list[AttentionTrace]


@dataclass
class Failed(Message):
    """Something that a person should be told in a line."""

    error: Exception


@dataclass
class Opened(Message):
    """A trace file or a run folder to show in place of everything."""

    path: Path


@dataclass
class Compute(Message):
    """Work for a thread; the screen stays alive meanwhile.

    A failure is told. Nothing comes of it once something else is computed or opened.
    """

    what: str
    """In words."""
    work: Callable[[], Traces]
    then: Callable[[Traces], None] | None = None
    """What to do with the traces; None shows them in place of everything."""
    otherwise: Callable[[], None] = lambda: None
    """What to do after a failure."""
