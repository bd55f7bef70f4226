"""A picture with the weights of its patches over it: in half blocks, two pixels a cell, or in the
pixels of a terminal that shows them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.segment import ControlType, Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.geometry import Region, Size, clamp
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
from dlcc.cli.tui.widgets.graphics import graphics, sixels
from dlcc.cli.tui.widgets.ink import Ink, frame, palette_of

_MARK = Style(color="white", bgcolor="black", bold=True)
_HALVES = (2, 1)  # (rows, columns) of pixels in a cell of half blocks
_THIN = 200  # pixels of a picture to one of a frame's line

Box = tuple[int, int, int, int]
"""(top, left, bottom, right)"""


class Picture(Widget):
    """A picture whose patches carry weights; one patch may be under the cursor."""

    @dataclass
    class Touched(Message):
        """The mouse chose a patch."""

        patch: tuple[int, int]

    DEFAULT_CSS = "Picture > * { width: 100%; height: 100%; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._image = np.zeros((1, 1, 3), dtype=np.uint8)
        self._weights: np.ndarray | None = None
        self._ink = Ink("grey", None, 1)
        self._full_color = False
        self._blend = LIT
        self.patch: tuple[int, int] | None = None
        self.box: Box | None = None
        """In pixels of the image, drawn as a frame."""
        self._graphics = graphics()
        self._kitty: Any = None
        """What shows pixels by kitty's graphics, where the terminal has them."""
        if self._graphics is not None and self._graphics.widget is not None:
            self._kitty = self._graphics.widget()
        self._sixels = ""
        """What shows them by sixels, as soon as the picture has been in sight."""
        self._pixels = np.zeros((0, 0, 3), dtype=np.uint8)
        """What is shown by either."""
        self._is_stale = False
        """Whether something has changed since."""

    def compose(self) -> ComposeResult:
        if self._kitty is not None:
            yield self._kitty

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
        self._draw()

    def place(self, patch: tuple[int, int] | None) -> None:
        """Put the cursor on a patch (row, column)."""
        self.patch = patch
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._kitty is not None and not self._is_stale:
            self.call_next(self._send)  # once, whatever else changes meanwhile
        self._is_stale = True
        self.refresh()

    @property
    def _is_sharp(self) -> bool:
        """Whether the terminal's pixels are used."""
        return self._graphics is not None and self._full_color

    @property
    def _cell(self) -> tuple[int, int]:
        """(rows, columns) of pixels in a cell."""
        return self._graphics.cell if self._graphics and self._full_color else _HALVES

    @property
    def _room(self) -> Size:
        """The cells that there are. Sixels come in bands of six pixels, after which terminals go on
        to the next line, and scroll where there is none."""
        spare = 2 if self._is_sharp and self._kitty is None else 0
        return Size(self.size.width, max(1, self.size.height - spare))

    def _shape(self) -> tuple[int, int]:
        """(rows, columns) of pixels, in whole cells: the most of the image's proportions."""
        (height, width), (high, wide) = self._image.shape[:2], self._cell
        room = self._room.height * high, max(1, self._room.width) * wide
        factor = min(room[0] / height, room[1] / width)
        columns = clamp(round(width * factor / wide), 1, room[1] // wide) * wide
        return max(1, int(height * factor) // high) * high, columns

    def _extent(self) -> tuple[int, int]:
        """(lines, columns) of cells that the picture takes."""
        rows, columns = self._shape()
        return rows // self._cell[0], columns // self._cell[1]

    def _corner(self) -> tuple[int, int]:
        """(line, column) of the upper left corner: it stands in the middle."""
        lines, columns = self._extent()
        return max(0, self._room.height - lines) // 2, max(0, self._room.width - columns) // 2

    def _colours(self, rows: int, columns: int) -> np.ndarray:
        """The picture's pixels [rows, columns, 3] under its weights, with its box."""
        colors = resized(self._image, rows, columns)
        if self._full_color and self._weights is not None:
            colors = blended(colors, self._weights, self._blend, self._palette, self._system)
        if self._full_color and self.box is not None:
            colors = framed(colors, self.box, self._image.shape[:2])
        return colors

    # In pixels

    def _renew(self) -> bool:
        """Compose the terminal's pixels, with a frame around the cursor's patch; whether they are
        others than before."""
        if not self._is_stale:
            return False
        self._is_stale = False
        colors, before = self._colours(*self._shape()), self._pixels
        if self.patch is not None and self._weights is not None:
            (row, column), grid = self.patch, self._weights.shape
            colors = framed(colors, (row, column, row + 1, column + 1), grid)
        self._pixels = colors.round().clip(0, 255).astype(np.uint8)
        return not np.array_equal(self._pixels, before)

    def _send(self) -> None:
        """Give kitty's graphics an image as large as there is room, transparent around it."""
        from PIL import Image

        self._kitty.display = self._is_sharp
        if not self._is_sharp or not self.size:
            self._is_stale = False
            return
        (high, wide), (first, left) = self._cell, self._corner()
        whole = Image.new("RGBA", (self.size.width * wide, self.size.height * high))
        sent = self._kitty.image
        if self._renew() or sent is None or sent.size != whole.size:
            whole.paste(Image.fromarray(self._pixels), (left * wide, first * high))
            self._kitty.image = whole

    def _over(self) -> Segment | None:
        """What draws sixels over the half blocks, if nothing is in front of all of them."""
        from PIL import Image

        if not self._is_sharp or self._kitty is not None or not self.screen.is_active:
            return None
        if self.screen.find_widget(self).visible_region != self.region:
            return None
        if self._renew():
            self._sixels = sixels(Image.fromarray(self._pixels))
        first, left = self._corner()
        place = f"\x1b7\x1b[{self.region.y + first + 1};{self.region.x + left + 1}H"
        return Segment(f"{place}{self._sixels}\x1b8", None, [(ControlType.CURSOR_FORWARD, 0)])

    # In half blocks

    def render_lines(self, crop: Region) -> list[Strip]:
        """Compose the picture once, then draw its lines."""
        self._first, self._left = self._corner()
        lines, columns = self._extent()
        self._colors, self._steps = np.zeros((0, 0, 3)), None
        if self._kitty is None or not self._is_sharp:  # else they would be covered
            self._colors = self._colours(2 * lines, columns)
            if self._weights is not None:
                self._steps = self._ink.levels(enlarged(self._weights, (2 * lines, columns)))
        strips = super().render_lines(crop)
        below = self._first + lines - crop.y  # when it is drawn, the lines above have been
        if 0 <= below < len(strips) and (over := self._over()):
            strips[below] = Strip([over, *strips[below]], strips[below].cell_length)
        return strips

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
        (lines, columns), (first, left) = self._extent(), self._corner()
        y, x = event.screen_y - self.region.y - first, event.screen_x - self.region.x - left
        if self._weights is not None and 0 <= y < lines and 0 <= x < columns:
            grid = self._weights.shape
            self.post_message(self.Touched((y * grid[0] // lines, x * grid[1] // columns)))


def framed(colors: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels [rows, columns, 3] with a white line along the inner edge of a box, around a black one
    where there is room.

    Args:
        colors: the pixels.
        box: in steps of `shape`, (rows, columns).
    """
    found = colors.copy()
    top, bottom = (round(edge * len(found) / shape[0]) for edge in box[::2])
    left, right = (round(edge * found.shape[1] / shape[1]) for edge in box[1::2])
    thick = max(1, len(found) // _THIN)
    shades = (255, 0) if thick > 1 else (255,)
    for inset, shade in enumerate(shades):
        edge = inset * thick
        inside = found[top + edge : bottom - edge, left + edge : right - edge]
        inside[:thick], inside[-thick:] = shade, shade
        inside[:, :thick], inside[:, -thick:] = shade, shade
    return found
