"""How far long work has come, and how much of it is done at a time."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Progress = Callable[[int, int | None], None]
"""Told now and then (how much is done, how much there is in all or None where nobody knows)."""

_SECONDS = 1.0
Item = TypeVar("Item")


def windows(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Items in their order, some at a time, so that the first are soon done and many go together:
    the first alone, then twice as many as before, until they take about a second.

    Args:
        items: as many as there are; no more are taken than are dealt with next.
        most: items at a time.
    """
    source, size = iter(items), 1
    while window := list(islice(source, size)):
        begun = time.monotonic()
        yield window
        seconds = time.monotonic() - begun
        if seconds < _SECONDS / 2:
            size = min(2 * size, most)
        elif seconds > 2 * _SECONDS:
            size = max(1, size // 2)
