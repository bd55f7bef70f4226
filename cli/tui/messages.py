"""What screens ask of the app: they post it, and it bubbles up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.message import Message


@dataclass
class Failed(Message):
    """Something that a person should be told in a line."""

    error: Exception


@dataclass
class Opened(Message):
    """A trace file or a run folder to show in place of everything."""

    path: Path
    otherwise: Callable[[], None] = lambda: None
    """What to do after a failure."""


@dataclass
class Compute(Message):
    """Work for a thread; the screen stays alive meanwhile.

    A failure is told. Nothing comes of it once something else is computed or opened.
    """

    what: str
    """In words."""
    work: Callable[[], Any]
    then: Callable[[Any], None] | None = None
    """What to do with what comes of it; None shows it, traces, in place of everything."""
    otherwise: Callable[[], None] = lambda: None
    """What to do after a failure."""
