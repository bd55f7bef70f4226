"""What panels share: a colour bar, and how several of them make a figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from dlcc.cli.draw.bar import weight_text
from dlcc.cli.draw.figure.sheet import Align, Sheet, hexadecimal, measured, own_settings, space
from dlcc.cli.draw.figure.themes import Theme
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.trace.scales import Scale

_BAR_LENGTH = 14  # times the size of letters
_STEPS = 56  # of a bar


@dataclass(frozen=True)
class Bar:
    """A colour bar: the palette with numbers below."""

    ticks: tuple[tuple[float, str], ...]
    """Places along the bar, from 0 to 1, and what stands there."""
    label: str = "weight"
    palette: Palette = PALETTES["viridis"]

    def height(self, theme: Theme) -> float:
        return 2.6 * theme.line

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Put it down with its top left corner at x, y."""
        theme = sheet.theme
        small, long, high = 0.85 * theme.size, _BAR_LENGTH * theme.size, 0.7 * theme.size
        sheet.line(x, y + theme.size, self.label, small, theme.dim)
        top = y + 1.35 * theme.size
        low = -1 if self.palette.signed else 0
        shades = np.linspace(low, 1, _STEPS)[None]
        colours = theme.palette(self.palette).colours(shades, "truecolor")
        for number, colour in enumerate(colours[0]):
            start = number * long / _STEPS  # each to the end, the next over it: no seams
            sheet.box(x + start, top, long - start, high, hexadecimal(colour))
        sheet.box(x, top, long, high, None, theme.dim)
        for place, text in self._with_room(small, long):
            align: Align = "left" if place <= 0.02 else "right" if place >= 0.98 else "center"
            sheet.word(x + place * long, top + high + theme.size, text, small, theme.dim, align)

    def _with_room(self, size: float, long: float) -> Sequence[tuple[float, str]]:
        """The ticks, or every second of them, or the ends: as many as stand apart, the last among
        them."""
        for step in (step for step in (1, 2) if (len(self.ticks) - 1) % step == 0):
            kept = self.ticks[::step]
            if sum(measured(text, size) for _, text in kept) + size * len(kept) <= long:
                return kept
        return self.ticks[:: max(1, len(self.ticks) - 1)]

    def width(self, theme: Theme) -> float:
        return max(_BAR_LENGTH * theme.size, measured(self.label, 0.85 * theme.size))


def bar_of(scale: Scale, palette: Palette, label: str = "weight") -> Bar:
    """The bar of a scale, with at most five numbers.

    Args:
        scale: of one or several maps.
        palette: signed where the scale is.
        label: what the numbers are.
    """
    ticks = scale.ticks()
    ticks = ticks[:: 1 + (len(ticks) - 1) // 5]
    if scale.signed:
        named = ((place / 2 + 0.5, _signed(value)) for place, value in ticks)
        return Bar(tuple(named), label, palette)
    return Bar(tuple((place, weight_text(value)) for place, value in ticks), label, palette)


def _signed(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + weight_text(abs(value))


class Panel(Protocol):
    """A part of a figure."""

    @property
    def title(self) -> str: ...

    def least(self, theme: Theme) -> float:
        """The width in points that it needs beside others to be read."""
        ...

    def size(self, theme: Theme) -> tuple[float, float]:
        """(width, height) in points within the theme's width, the title not counted."""
        ...

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Put it down with its top left corner at x, y."""
        ...


@own_settings()
def figure(
    ending: str, panels: Sequence[Panel], theme: Theme, title: str = ""
) -> tuple[bytes, str]:
    """Panels side by side as the theme's width allows, lettered (a), (b) where there are several.

    Args:
        ending: .svg, .pdf or .png.
        panels: at least one.
        theme: colours and sizes.
        title: above all of them.

    Returns:
        The file, and the characters in it that no font has.

    Raises:
        UsageError: too large to be opened.
    """
    head, gap = 1.2 * theme.size, 2.5 * theme.size
    names = [_named(panel.title, number, len(panels)) for number, panel in enumerate(panels)]
    most = max(panel.least(theme) for panel in panels)
    across = min(len(panels), max(1, int((theme.width + gap) / (most + gap))))
    theme = replace(theme, width=(theme.width + gap) / across - gap)
    sizes = []
    for name, panel in zip(names, panels, strict=True):
        wide, high = panel.size(theme)
        wide = max(wide, _width_of(name, theme.size))
        sizes.append((wide, high + (1.8 * theme.line if name else 0)))
    rows = [range(n, min(n + across, len(panels))) for n in range(0, len(panels), across)]
    columns = [max(wide for wide, _ in sizes[n::across]) for n in range(across)]
    above = 2 * head if title else 0.0
    width = max(sum(columns) + gap * (across - 1), _width_of(title, head)) + 2 * theme.margin
    heights = [max(sizes[n][1] for n in row) for row in rows]
    height = sum(heights) + gap * (len(rows) - 1) + above + 2 * theme.margin
    sheet = Sheet(width, height, theme)
    y = theme.margin
    if title:
        sheet.line(theme.margin, y + head, title, head, bold=True)
    y += above
    for row, high in zip(rows, heights, strict=True):
        x = theme.margin
        for number in row:
            down = 0.0
            if names[number]:
                sheet.line(x, y + theme.size, names[number], theme.size, bold=True)
                down = 1.8 * theme.line
            panels[number].draw(sheet, x, y + down)
            x += columns[number % across] + gap
        y += high + gap
    return sheet.written(ending), sheet.lacking


def _named(title: str, number: int, count: int) -> str:
    letters = ""
    while number >= 0:
        letters = chr(ord("a") + number % 26) + letters
        number = number // 26 - 1
    return f"({letters}) {title}" if count > 1 else title


def _width_of(text: str, size: float) -> float:
    """Of words set in bold, one after the other."""
    words = text.split()
    return sum(measured(word, size, True) for word in words) + space(size) * max(0, len(words) - 1)
