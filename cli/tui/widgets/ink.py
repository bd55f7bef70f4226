"""Cells of a map as ready-made segments: one for each step of the palette, made once."""

import numpy as np
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from dlcc.cli.draw.bar import colour_bar
from dlcc.cli.draw.labels import number
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.cli.draw.pictures import FULL_COLOR, palette_under
from dlcc.cli.tui.state import GLYPHS, ViewState
from dlcc.core.trace.scales import Scale

NUMBER_WIDTH = 5  # cells at least this wide carry their number
_STEPS = 64
_SIGNED = next(name for name, palette in PALETTES.items() if palette.signed)
PALETTE_NAMES = (*(name for name in PALETTES if name != _SIGNED), GLYPHS)


def palette_of(name: str, signed: bool) -> Palette:
    """The palette called `name`, or for a map with negatives the signed one."""
    return PALETTES[_SIGNED if signed else "grey" if name == GLYPHS else name]


def bar_of(scale: Scale, state: ViewState, width: int, named: bool = True, blend: str = "") -> Text:
    """The colour bar of a scale in the colours of a state, in at most `width` cells; of a picture
    under a blend, in what that makes of weights."""
    seen = state.palette_seen
    system = None if seen == GLYPHS else state.system
    palette = palette_of(seen, scale.signed)
    if system in FULL_COLOR:
        palette = palette_under(blend, palette, scale.signed)
    return colour_bar(scale, palette, system, width, named)


class Ink:
    """Draws values 0 to 1 (signed: -1 to 1) in one palette, `width` cells each.

    Without a colour system, or with the palette GLYPHS, shades and signs stand for colours.
    """

    def __init__(
        self, palette: str, color_system: str | None, width: int, signed: bool = False
    ) -> None:
        self.width = width
        self.signed = signed
        self.colored = color_system is not None and palette != GLYPHS
        chosen = palette_of(palette, signed)
        system = color_system if self.colored else None
        low, steps = (-1, 2 * _STEPS + 1) if signed else (0, _STEPS + 1)
        values = [low + step / _STEPS for step in range(steps)]
        self.styles: list[Style] = [chosen.style(value, system) for value in values]
        self._pairs: dict[tuple[int, int | None], Style] = {}
        self.glyphs = [" " if self.colored else chosen.glyph(value) for value in values]
        self.fills = [
            " " * width if self.colored else chosen.glyph(value, width) for value in values
        ]

    def levels(self, scaled: np.ndarray) -> np.ndarray:
        """The step of each value, uint8."""
        offset = _STEPS if self.signed else 0
        return np.rint(scaled * _STEPS + offset).astype(np.uint8)

    def run(self, levels: np.ndarray) -> list[Segment]:
        """Cells side by side without numbers; neighbours of one step share a segment."""
        edges = np.flatnonzero(levels[1:] != levels[:-1]) + 1
        starts = [0, *edges.tolist(), len(levels)]
        steps = levels[starts[:-1]].tolist() if len(levels) else []
        fills, styles = self.fills, self.styles
        return [
            Segment(fills[step] * (end - start), styles[step])
            for step, start, end in zip(steps, starts, starts[1:], strict=False)
        ]

    def pairs(self, upper: np.ndarray, lower: np.ndarray | None) -> list[Segment]:
        """Cells of two rows on one line, in half blocks; None for no lower row."""
        below = upper if lower is None else lower
        changed = (upper[1:] != upper[:-1]) | (below[1:] != below[:-1])
        starts = [0, *(np.flatnonzero(changed) + 1).tolist(), len(upper)]
        both = zip(upper[starts[:-1]].tolist(), below[starts[:-1]].tolist(), strict=True)
        return [
            Segment("▀" * (end - start), self._pair(step, None if lower is None else other))
            for (step, other), start, end in zip(both, starts, starts[1:], strict=False)
        ]

    def _pair(self, upper: int, lower: int | None) -> Style:
        found = self._pairs.get((upper, lower))
        if found is None:
            background = None if lower is None else self.styles[lower].bgcolor
            found = Style(color=self.styles[upper].bgcolor, bgcolor=background)
            self._pairs[upper, lower] = found
        return found

    def cells(self, levels: np.ndarray, values: np.ndarray) -> list[Segment]:
        """Cells side by side, each with its number where there is room for it."""
        if self.width < NUMBER_WIDTH:
            return self.run(levels)
        return [
            Segment(self.number_text(value, step), self.styles[step])
            for step, value in zip(levels.tolist(), values.tolist(), strict=True)
        ]

    def number_text(self, value: float, step: int) -> str:
        """A cell's number between a space, or the glyph, and a space."""
        inner = self.width - 2
        return self.glyphs[step] + number(value, min(inner, 6)).center(inner) + " "


def frame(
    cells: list[Segment], y: int, rows: range, columns: range, style: Style | None = None
) -> None:
    """Draw what line `y` has of a frame around `rows` and `columns` over the line's cells."""
    if y not in rows:
        return
    edge = y in (rows[0], rows[-1])
    for x in columns if edge else (columns[0], columns[-1]):
        side = x in (columns[0], columns[-1])
        mark = "+" if edge and side else "|" if side else "-"
        cells[x] = Segment(mark, style or cells[x].style)
