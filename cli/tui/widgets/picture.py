"""A picture in half blocks, two pixels a cell, with the weights of its patches over it."""

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
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
    half_block_cells,
    resized,
    shades,
)
from dlcc.cli.tui.widgets.ink import Ink, palette_of

_MARK = Style(color="white", bgcolor="black", bold=True)


def fitted(shape: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest (rows, columns) of `shape`'s proportions in `room`, the rows even."""
    factor = min(room[0] / shape[0], room[1] / shape[1])
    rows = max(2, int(shape[0] * factor) // 2 * 2)
    return rows, max(1, min(room[1], round(shape[1] * factor)))


class Picture(Widget):
    """A picture whose patches carry weights; one patch may be under the cursor."""

    class Touched(Message):
        """The mouse chose a patch."""

        def __init__(self, patch: tuple[int, int]) -> None:
            super().__init__()
            self.patch = patch

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
        self,
        image: np.ndarray,
        weights: np.ndarray | None,
        palette: str,
        color_system: str | None,
        blend: str = LIT,
    ) -> None:
        """Draw `image` [rows, columns, 3] with `weights` [rows, columns] of patches, scaled 0 to 1
        (-1 to 1 with negatives)."""
        signed = weights is not None and bool(weights.min() < 0)
        self._image, self._weights, self._blend = image, weights, blend
        self._ink = Ink(palette, color_system, 1, signed)
        self._palette, self._system = palette_of(palette, signed), color_system or ""
        self._full_color = self._system in FULL_COLOR and self._ink.colored
        self.refresh()

    def place(self, patch: tuple[int, int] | None) -> None:
        """Put the cursor on a patch (row, column)."""
        self.patch = patch
        self.refresh()

    def _pixels(self) -> tuple[int, int]:
        height, width = self.size.height * 2, self.size.width
        return fitted(self._image.shape[:2], (max(2, height), max(1, width)))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Compose the picture once, then draw its lines."""
        self._blend_pixels()
        return super().render_lines(crop)

    def _blend_pixels(self) -> None:
        rows, columns = self._pixels()
        self._colors, self._steps = resized(self._image, rows, columns), None
        if self._weights is None:
            return
        self._steps = self._ink.levels(enlarged(self._weights, (rows, columns)))
        if self._full_color:
            self._colors = blended(
                self._colors, self._weights, self._blend, self._palette, self._system
            )

    def render_line(self, y: int) -> Strip:
        rows, columns = self._colors.shape[:2]
        if y >= rows // 2:
            return Strip.blank(self.size.width, self.rich_style)
        if self._full_color:
            pixels = (
                self._colors[2 * y : 2 * y + 2].astype(np.uint8) & 0xFC
            )  # so that styles repeat
            cells = half_block_cells(*pixels)
        else:
            cells = self._shades(y)
        cells = self._with_box(cells, y, rows, columns)
        cells = self._with_cursor(cells, y, rows, columns)
        base = self.rich_style
        return Strip(cells).crop_extend(0, self.size.width, base).apply_style(base)

    def _shades(self, y: int) -> list[Segment]:
        """A line without full colour: glyphs are lightness, or weights where colour is lacking."""
        glyphs = shades(*self._colors[2 * y : 2 * y + 2])
        if self._steps is None or self._blend == PLAIN:
            return [Segment(glyph) for glyph in glyphs]
        steps = self._steps[2 * y].tolist()
        if not self._ink.colored:
            return [Segment(self._ink.fills[step]) for step in steps]
        if self._blend == ALONE:
            glyphs = [" "] * len(glyphs)
        return [Segment(g, self._ink.styles[step]) for g, step in zip(glyphs, steps, strict=True)]

    def _with_cursor(self, cells: list[Segment], y: int, rows: int, columns: int) -> list[Segment]:
        if self.patch is None or self._weights is None:
            return cells
        grid = self._weights.shape
        middle = (2 * self.patch[0] + 1) * rows // (2 * grid[0]) // 2
        if y != middle:
            return cells
        left = -(-self.patch[1] * columns // grid[1])
        right = max(left, -(-(self.patch[1] + 1) * columns // grid[1]) - 1)
        left, right = min(left, columns - 1), min(right, columns - 1)
        cells = list(cells)
        for place, mark in ((left, "["), (right, "]")):
            cells[place] = Segment("X" if left == right else mark, _MARK)
        return cells

    def _with_box(self, cells: list[Segment], y: int, rows: int, columns: int) -> list[Segment]:
        if self.box is None:
            return cells
        height, width = self._image.shape[:2]
        top, bottom = (round(edge * rows / height / 2) for edge in (self.box[0], self.box[2]))
        left, right = (round(edge * columns / width) for edge in (self.box[1], self.box[3]))
        bottom, right = max(top, bottom - 1), max(left, right - 1)
        if not top <= y <= bottom:
            return cells
        cells = list(cells)
        for x in range(left, min(right + 1, columns)):
            if y in (top, bottom) or x in (left, right):
                corner = y in (top, bottom) and x in (left, right)
                mark = "+" if corner else "-" if y in (top, bottom) else "|"
                cells[x] = Segment(mark, _MARK)
        return cells

    def on_click(self, event: events.Click) -> None:
        rows, columns = self._pixels()
        if self._weights is not None and event.y < rows // 2 and event.x < columns:
            grid = self._weights.shape
            patch = (2 * event.y * grid[0] // rows, event.x * grid[1] // columns)
            self.post_message(self.Touched(patch))
