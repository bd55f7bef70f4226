"""Traces made at the same time, those that were made from them by hand, and the maps of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace
from dlcc.core.trace.values import read_traces


class Frame:
    """One or several traces made at the same time, such as those of one epoch; read when needed."""

    def __init__(
        self,
        label: str,
        source: Path | list[AttentionTrace],
        by_hand: int = 0,
        origin: int = 0,
        told: bool = False,
    ) -> None:
        """Args:
        label: what it is called.
        source: its traces, or their file.
        by_hand: how many of them, the last, were made by hand in the viewer.
        origin: the number of the trace that these were made from.
        told: whether the last of them says itself how it was made.
        """
        self.label, self._source = label, source
        self.by_hand, self.origin, self.told = by_hand, origin, told

    @cached_property
    def traces(self) -> list[AttentionTrace]:
        """At least one trace.

        Raises:
            DataError: the file cannot be read.
        """
        return read_traces(self._source) if isinstance(self._source, Path) else self._source

    @property
    def own(self) -> int:
        """How many of the traces were not made by hand."""
        return len(self.traces) - self.by_hand

    def with_by_hand(
        self, traces: list[AttentionTrace], base: AttentionTrace, told: bool
    ) -> "tuple[Frame, int]":
        """The frame with traces that were made by hand from `base`, one of its own, which stays
        beside them; what else was made by hand goes. And the number of the first of them."""
        own = self.traces[: self.own]
        kept = own if any(trace is base for trace in own) else [*own, base]
        origin = next(number for number, trace in enumerate(kept) if trace is base)
        made = len(kept) - len(own) + len(traces)
        return Frame(self.label, [*kept, *traces], made, origin, told), len(kept)

    def without_by_hand(self) -> "tuple[Frame, int]":
        """The frame without what was made by hand last, and the number of the trace that it was
        made from."""
        left = self.traces[: max(self.own, self.origin + 1)]
        return Frame(self.label, left, len(left) - self.own, self.origin), self.origin


@dataclass(frozen=True)
class Choice:
    """Which map of a frame."""

    trace: int = 0
    layer: int = 0
    head: int | str = 0
    """A number, one of maps.REDUCTIONS over the heads, or ROLLOUT over layers and heads."""


def first_choice(trace: AttentionTrace) -> Choice:
    """The map of a trace that is shown first: its first, or the one that it says it opens on, as
    [layer from 1, one of maps.REDUCTIONS]."""
    match trace.details.get("opens_on"):
        case [int(layer), str(head)] if head in maps.REDUCTIONS and 0 < layer <= trace.num_layers:
            return Choice(0, layer - 1, head)
    return Choice()


@dataclass(frozen=True)
class ShownMap:
    """One map as it is shown: after hiding, merging and subtracting."""

    values: np.ndarray
    """[rows, columns] float32; has negatives only when `signed`."""
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    queries: maps.Groups
    """For each row the query positions of the trace that it stands for."""
    keys: maps.Groups
    title: str
    signed: bool = False
