"""Maps as panels: one with its words and numbers, and all heads of a model small."""

from dataclasses import dataclass

import numpy as np

from dlcc.cli.draw.figure.panels import Bar, bar_of
from dlcc.cli.draw.figure.sheet import Sheet, hexadecimal, measured
from dlcc.cli.draw.figure.themes import Theme
from dlcc.cli.draw.labels import display, number
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.cli.draw.pictures import LIT, blended, palette_under
from dlcc.core.trace.html import ink_on
from dlcc.core.trace.scales import Scale
from dlcc.core.trace.small import shrink

_LEAST_CELL, _LEAST_SIZE = 3.0, 4.5  # points
_MOST_LABELS = 300  # a side, up to which each word is written, in the smallest letters
_LEAST_LABELLED = 4.8
_DOTS = 128  # a side of a small map, at most
_CAPTION = 1.4  # times the size of letters: the height of a small map's caption
_GAP_FROM = 7.0  # cells at least this large stand apart


@dataclass(frozen=True)
class MapPanel:
    """Queries are rows, keys columns; every word whole."""

    values: np.ndarray
    """[Q, K]."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    scale: Scale
    title: str = ""
    numbers: bool = False
    """Whether the values stand in the cells."""
    masked: np.ndarray | None = None
    """[Q, K] bool: what a query may not attend to."""
    palette: Palette = PALETTES["viridis"]
    """Signed where the scale is."""
    label: str = "weight"
    """What the values are."""

    @property
    def bar(self) -> Bar:
        return bar_of(self.scale, self.palette, self.label)

    def least(self, theme: Theme) -> float:
        left = max(measured(display(word), theme.size) for word in self.rows) + theme.size
        return left + self.values.shape[1] * 1.1 * theme.size

    def size(self, theme: Theme) -> tuple[float, float]:
        at = self._layout(theme)
        high, wide = self.values.shape
        width = at.left + max(wide * at.cell + at.overhang, self.bar.width(theme))
        return width, at.top + high * at.cell + theme.size + self.bar.height(theme)

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        theme, at = sheet.theme, self._layout(sheet.theme)
        colours = theme.palette(self.palette).colours(self.scale.places(self.values), "truecolor")
        left, top, cell = x + at.left, y + at.top, at.cell
        high, wide = self.values.shape
        gap = 0.06 * cell if cell >= _GAP_FROM else 0.0
        sheet.cells(left, top, colours, cell, gap)
        sheet.box(left, top, wide * cell, high * cell, None, theme.dim)
        for row in range(0, high, at.every):
            down = top + (row + 0.5) * cell + 0.36 * at.letters
            sheet.word(
                left - 0.5 * at.letters, down, display(self.rows[row]), at.letters, align="right"
            )
        for column in range(0, wide, at.every):
            word = display(self.columns[column])
            middle, base = left + (column + 0.5) * cell, top - 0.5 * at.letters
            if at.turn:
                lean = 0.36 * at.letters if at.turn == 90 else 0.1 * at.letters
                sheet.word(middle + lean, base, word, at.letters, turn=at.turn)
            else:
                sheet.word(middle, base, word, at.letters, align="center")
        self._write_cells(sheet, left, top, at, colours)
        self.bar.draw(sheet, left, top + high * cell + theme.size)

    def _write_cells(
        self, sheet: Sheet, left: float, top: float, at: "_Layout", colours: np.ndarray
    ) -> None:
        size = at.digits
        for row, column in np.ndindex(self.values.shape):
            x, y = left + (column + 0.5) * at.cell, top + (row + 0.5) * at.cell + 0.36 * size
            ink = ink_on(colours[row, column])
            if self.masked is not None and self.masked[row, column]:
                sheet.word(x, y, "·", size, ink, "center")
            elif self.numbers:
                text = number(float(self.values[row, column]), 4)
                text = text if text.strip("-.0") else "0"
                sheet.word(x, y, text, size, ink, "center")

    def _layout(self, theme: Theme) -> "_Layout":
        wide = self.values.shape[1]
        words = [display(word) for word in self.columns]
        left = max(measured(display(word), theme.size) for word in self.rows) + theme.size
        digits = 0.7 * theme.size
        cell = min(theme.cell, (theme.width - min(left, theme.width / 2)) / max(wide, 1))
        if self.numbers:
            cell = max(cell, measured("-.00", digits) + 0.3 * digits)
        most = max(self.values.shape)
        cell = max(cell, _LEAST_LABELLED if most <= _MOST_LABELS else _LEAST_CELL)
        letters = max(min(theme.size, 0.92 * cell), _LEAST_SIZE)
        every = max(1, int(np.ceil(1.05 * letters / cell)))
        longest = max(measured(word, letters) for word in words)
        left = max(measured(display(word), letters) for word in self.rows) + letters
        if longest <= cell - 0.2 * letters:
            return _Layout(cell, letters, digits, every, 0, left, 1.5 * letters, 0.0)
        if cell * every >= 1.4 * letters:
            slanted = [0.71 * measured(word, letters) for word in words]
            over = max((n + 0.5) * cell + long for n, long in enumerate(slanted)) - wide * cell
            top = max(slanted) + 1.3 * letters
            return _Layout(cell, letters, digits, every, 45, left, top, max(0.0, over + letters))
        return _Layout(cell, letters, digits, every, 90, left, longest + letters, 0.0)


@dataclass(frozen=True)
class _Layout:
    cell: float
    letters: float
    digits: float
    every: int  # which labels are shown where not all can be
    turn: int  # of the columns' labels, in degrees
    left: float
    top: float
    overhang: float  # of slanted labels beyond the last column


@dataclass(frozen=True)
class Captions:
    """What stands above each small map, in a colour."""

    texts: np.ndarray
    """[rows, columns] str."""
    places: np.ndarray
    """[rows, columns]: from 0 to 1, or of a signed palette from -1 to 1."""
    palette: Palette


@dataclass(frozen=True)
class HeadsPanel:
    """Maps as small multiples on one scale: a row a layer, a column a head; or, with captions, in
    any order."""

    shades: list[list[np.ndarray]]
    """By layer and head [Q, K], or [rows, columns] of a picture's patches: places on the scale."""
    layers: tuple[str, ...]
    heads: tuple[str, ...]
    scale: Scale
    title: str = ""
    palette: Palette = PALETTES["viridis"]
    """Signed where the scale is."""
    label: str = "weight"
    """What the values are."""
    image: np.ndarray | None = None
    """[rows, columns, 3] uint8: the picture that all of them look at."""
    blend: str = LIT
    captions: Captions | None = None

    @property
    def bar(self) -> Bar:
        palette = self.palette
        if self.image is not None:
            palette = palette_under(self.blend, palette, self.scale.signed)
        return bar_of(self.scale, palette, self.label)

    def least(self, theme: Theme) -> float:
        return theme.width

    def size(self, theme: Theme) -> tuple[float, float]:
        left, side, gap = self._layout(theme)
        wide, high = len(self.heads) * (side + gap), len(self.layers) * self._step(theme)
        width = left + max(wide - gap, self.bar.width(theme))
        return width, 1.5 * theme.size + high + theme.size + self.bar.height(theme)

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        theme = sheet.theme
        left, side, gap = self._layout(theme)
        palette, top = theme.palette(self.palette), y + 1.5 * theme.size
        step = self._step(theme)
        for column, name in enumerate(self.heads):
            short = name if measured(name, theme.size) <= side + gap / 2 else name.split()[-1]
            middle = x + left + column * (side + gap) + side / 2
            sheet.word(middle, y + theme.size, short, colour=theme.dim, align="center")
        for row, (layer, name) in enumerate(zip(self.shades, self.layers, strict=True)):
            down = top + (row + 1) * step - side - gap
            place = x + left - theme.size / 2
            sheet.word(place, down + side / 2 + 0.36 * theme.size, name, None, theme.dim, "right")
            for column, shades in enumerate(layer):
                across = x + left + column * (side + gap)
                if self.image is None:
                    pixels = palette.colours(shrink(shades, _DOTS, _DOTS), "truecolor")
                else:
                    pixels = blended(self.image, shades, self.blend, palette)
                sheet.picture(across, down, side, side, pixels.round().astype(np.uint8))
                sheet.box(across, down, side, side, None, theme.dim)
                if self.captions:
                    high = _CAPTION * theme.size
                    self._caption(sheet, across, down - high, side, (row, column))
        self.bar.draw(sheet, x + left, top + len(self.layers) * step + theme.size)

    def _caption(
        self, sheet: Sheet, x: float, y: float, side: float, place: tuple[int, int]
    ) -> None:
        theme, captions = sheet.theme, self.captions
        assert captions is not None
        palette, size = theme.palette(captions.palette), theme.size
        fill = palette.colours(captions.places[place], "truecolor")
        sheet.box(x, y, side, _CAPTION * size, hexadecimal(fill))
        text = str(captions.texts[place])
        size *= min(1.0, 0.95 * side / measured(text, size))
        sheet.word(x + side / 2, y + theme.size, text, size, ink_on(fill), "center")

    def _step(self, theme: Theme) -> float:
        """From one row to the next."""
        _, side, gap = self._layout(theme)
        return side + gap + (_CAPTION * theme.size if self.captions else 0.0)

    def _layout(self, theme: Theme) -> tuple[float, float, float]:
        left = max(measured(name, theme.size) for name in self.layers) + theme.size
        gap = 0.5 * theme.size
        side = (theme.width - left) / len(self.heads) - gap
        return left, min(max(side, 2 * theme.size), 5 * theme.cell), gap
