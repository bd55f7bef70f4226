"""A small picture of a large map, with a frame around the part in sight."""

from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from dlcc.cli.tui.widgets.ink import Ink, frame
from dlcc.core.trace.small import shrink


class Minimap(Widget):
    """The whole map in few cells, each the strongest of what it stands for."""

    @dataclass
    class Touched(Message):
        """The mouse chose a place of the map."""

        row: int
        column: int

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._values = np.zeros((1, 1))
        self._small = self._values
        self._ink = Ink("grey", None, 1)
        self._sight = (0, 0, 1, 1)

    def show(self, scaled: np.ndarray, ink: Ink) -> None:
        """Draw another map, scaled for drawing."""
        self._values, self._ink = scaled, ink
        self._shrink()

    def frame(self, sight: tuple[int, int, int, int]) -> None:
        """Draw the frame around (row, column, height, width) of the map."""
        if sight != self._sight:
            self._sight = sight
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        (rows, columns), (high, wide) = self._small.shape, self._values.shape
        if event.y < rows and event.x < columns:
            row = (2 * event.y + 1) * high // (2 * rows)  # the middle of what the cell stands for
            column = (2 * event.x + 1) * wide // (2 * columns)
            self.post_message(self.Touched(row, column))

    def on_resize(self) -> None:
        self._shrink()

    def _shrink(self) -> None:
        if self.size:
            self._small = shrink(self._values, self.size.height, self.size.width)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        rows, columns = self._small.shape
        if y >= rows:
            return Strip.blank(self.size.width, self.rich_style)
        levels = self._ink.levels(self._small[y])
        cells = [Segment(self._ink.fills[s], self._ink.styles[s]) for s in levels.tolist()]
        top, left, height, width = self._sight
        seen = self._span(top, height, self._values.shape[0], rows)
        frame(cells, y, seen, self._span(left, width, self._values.shape[1], columns))
        base = self.rich_style
        return Strip(cells).crop_extend(0, self.size.width, base).apply_style(base)

    @staticmethod
    def _span(start: int, length: int, whole: int, cells: int) -> range:
        first = start * cells // whole
        last = (min(start + length, whole) - 1) * cells // whole
        return range(first, max(first, last) + 1)
