"""A picture in half blocks, two pixels a cell, with the weights of its patches over it."""

from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from dlcc.cli.draw.palette import SHADES
from dlcc.cli.draw.pictures import resized
from dlcc.cli.tui.state import ALONE, FULL_COLOR, LIT, PLAIN
from dlcc.cli.tui.widgets.ink import Ink

_TINT = 0.55  # share of the attention's colour in a tinted picture
_DARKEST = 0.15  # what a lit picture keeps where nothing looks
_MARK = Style(color="white", bgcolor="black", bold=True)
_LIGHT = np.array([0.2126, 0.7152, 0.0722])  # share of red, green, blue in lightness


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
        self._full_color = color_system in FULL_COLOR and self._ink.colored
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
        grid = self._weights.shape
        down = np.arange(rows) * grid[0] // rows
        across = np.arange(columns) * grid[1] // columns
        weights = self._weights[down][:, across]
        self._steps = self._ink.levels(weights)
        if not self._full_color or self._blend == PLAIN:
            return
        if self._blend == LIT and not self._ink.signed:
            light = np.sqrt(weights)[..., None]  # eyes see ratios, not differences
            self._colors = self._colors * (_DARKEST + (1 - _DARKEST) * light)
            return
        heat = np.array([s.bgcolor.get_truecolor() for s in self._ink.styles if s.bgcolor])
        share = 1.0 if self._blend == ALONE else _TINT
        self._colors = self._colors * (1 - share) + heat[self._steps] * share

    def render_line(self, y: int) -> Strip:
        rows, columns = self._colors.shape[:2]
        if y >= rows // 2:
            return Strip.blank(self.size.width, self.rich_style)
        if self._full_color:
            cells = _half_blocks(self._colors[2 * y], self._colors[2 * y + 1])
        else:
            cells = self._shades(y)
        cells = self._with_box(cells, y, rows, columns)
        cells = self._with_cursor(cells, y, rows, columns)
        base = self.rich_style
        return Strip(cells).crop_extend(0, self.size.width, base).apply_style(base)

    def _shades(self, y: int) -> list[Segment]:
        """A line without full colour: glyphs are lightness, or weights where colour is lacking."""
        light = self._colors[2 * y] @ _LIGHT / 256
        glyphs = [SHADES[int(value * len(SHADES))] for value in light]
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


def _half_blocks(upper: np.ndarray, lower: np.ndarray) -> list[Segment]:
    pairs = np.concatenate([upper, lower], -1).astype(np.uint8) & 0xFC  # 6 bits: styles repeat
    return [Segment("▀", _pair_style(*pair)) for pair in map(tuple, pairs.tolist())]


@lru_cache(maxsize=65536)
def _pair_style(r: int, g: int, b: int, r2: int, g2: int, b2: int) -> Style:
    return Style(color=Color.from_rgb(r, g, b), bgcolor=Color.from_rgb(r2, g2, b2))
