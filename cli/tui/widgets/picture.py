"""A picture in half blocks, two pixels a cell, with the weights of its patches over it."""

from dataclasses import dataclass

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, clamp
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from dlcc.cli.draw.pictures import (
    ALONE,
    FULL_COLOR,
    LIT,
    PLAIN,
    blended,
    enlarged,
    resized,
    screen_cells,
    shades,
)
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets.ink import Ink, frame, palette_of

_MARK = Style(color="white", bgcolor="black", bold=True)


class Picture(Widget):
    """A picture whose patches carry weights; one patch may be under the cursor."""

    @dataclass
    class Touched(Message):
        """The mouse chose a patch."""

        patch: tuple[int, int]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._image = np.zeros((1, 1, 3), dtype=np.uint8)
        self._weights: np.ndarray | None = None
        self._ink = Ink("grey", None, 1)
        self._full_color = False
        self._blend = LIT
        self.patch: tuple[int, int] | None = None
        self.box: tuple[int, int, int, int] | None = None
        """(top, left, bottom, right) in pixels of the image, drawn as a frame."""

    def show(
        self, image: np.ndarray, weights: np.ndarray | None, state: ViewState, blend: str = LIT
    ) -> None:
        """Draw `image` [rows, columns, 3] with `weights` [rows, columns] of patches, scaled 0 to 1
        (-1 to 1 with negatives), in the colours of a state."""
        signed = weights is not None and bool(weights.min() < 0)
        self._image, self._weights, self._blend = image, weights, blend
        self._ink = Ink(state.palette_seen, state.system, 1, signed)
        self._palette, self._system = palette_of(state.palette_seen, signed), state.system or ""
        self._full_color = self._system in FULL_COLOR and self._ink.colored
        self.refresh()

    def place(self, patch: tuple[int, int] | None) -> None:
        """Put the cursor on a patch (row, column)."""
        self.patch = patch
        self.refresh()

    def _shape(self) -> tuple[int, int]:
        """(rows, columns), the rows even: the most pixels of the image's proportions."""
        height, width = self._image.shape[:2]
        factor = min(max(2, self.size.height * 2) / height, max(1, self.size.width) / width)
        columns = clamp(round(width * factor), 1, max(1, self.size.width))
        return max(2, int(height * factor) // 2 * 2), columns

    def _corner(self) -> tuple[int, int]:
        """(line, column) of the upper left corner: it stands in the middle."""
        rows, columns = self._shape()
        return max(0, self.size.height - rows // 2) // 2, max(0, self.size.width - columns) // 2

    def render_lines(self, crop: Region) -> list[Strip]:
        """Compose the picture once, then draw its lines."""
        rows, columns = self._shape()
        self._first, self._left = self._corner()
        self._colors, self._steps = resized(self._image, rows, columns), None
        if self._weights is not None:
            self._steps = self._ink.levels(enlarged(self._weights, (rows, columns)))
            if self._full_color:
                self._colors = blended(
                    self._colors, self._weights, self._blend, self._palette, self._system
                )
        if self.box is not None and self._full_color:
            self._colors = self._framed(self._colors, self.box)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        y -= self._first
        if not 0 <= y < len(self._colors) // 2:
            return Strip.blank(self.size.width, base)
        pixels = self._colors[2 * y : 2 * y + 2]
        if self._full_color:
            cells = screen_cells(pixels)
        else:
            steps = None if self._steps is None else self._steps[2 * y].tolist()
            cells = self._shades(shades(*pixels), steps)
        self._draw_box(cells, y)
        self._draw_cursor(cells, y)
        cells = [Segment(" " * self._left), *cells]
        return Strip(cells).crop_extend(0, self.size.width, base).apply_style(base)

    def _framed(self, colors: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """The pixels [rows, columns, 3] with a white line along the inner edge of a box."""
        found, (height, width) = colors.copy(), self._image.shape[:2]
        top, bottom = (round(edge * len(found) / height) for edge in box[::2])
        left, right = (round(edge * found.shape[1] / width) for edge in box[1::2])
        inside = found[top:bottom, left:right]
        inside[[0, -1]], inside[:, [0, -1]] = 255, 255
        return found

    def _shades(self, glyphs: list[str], steps: list[int] | None) -> list[Segment]:
        """A line without full colour: glyphs are lightness, or weights where colour is lacking."""
        if steps is None or self._blend == PLAIN:
            return [Segment(glyph) for glyph in glyphs]
        if not self._ink.colored:
            return [Segment(self._ink.fills[step]) for step in steps]
        if self._blend == ALONE:
            glyphs = [" "] * len(glyphs)
        return [Segment(g, self._ink.styles[step]) for g, step in zip(glyphs, steps, strict=True)]

    def _draw_cursor(self, cells: list[Segment], y: int) -> None:
        if self.patch is None or self._weights is None:
            return
        (row, column), grid, last = self.patch, self._weights.shape, len(cells) - 1
        if y != (2 * row + 1) * len(self._colors) // (2 * grid[0]) // 2:
            return
        left, end = (-(-edge * len(cells) // grid[1]) for edge in (column, column + 1))
        left, right = min(left, last), min(max(left, end - 1), last)
        cells[left] = Segment("[", _MARK)
        cells[right] = Segment("X" if left == right else "]", _MARK)

    def _draw_box(self, cells: list[Segment], y: int) -> None:
        if self.box is None or self._full_color:
            return
        height, width = self._image.shape[:2]
        lines = len(self._colors) / 2
        top, bottom = (round(edge * lines / height) for edge in self.box[::2])
        left, right = (round(edge * len(cells) / width) for edge in self.box[1::2])
        left = min(left, len(cells) - 1)
        frame(cells, y, range(top, max(top + 1, bottom)), range(left, max(left + 1, right)), _MARK)

    def on_click(self, event: events.Click) -> None:
        (rows, columns), (first, left) = self._shape(), self._corner()
        y, x = event.y - first, event.x - left
        if self._weights is not None and 0 <= y < rows // 2 and 0 <= x < columns:
            grid = self._weights.shape
            self.post_message(self.Touched((2 * y * grid[0] // rows, x * grid[1] // columns)))
