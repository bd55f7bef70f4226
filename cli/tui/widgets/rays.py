"""Lines between two texts in braille dots: from the word that asks to those it looks at.

A line is as strong as its weight, in dots as in colour, so that it is read without colours too.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

MOST, LEAST = 12, 3  # lines of the screen
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of a cell [4, 2]
_STRENGTHS = (0.06, 0.25, 0.6)
"""Shares of the scale from which a line is dotted, drawn through, and drawn twice as thick."""


def rays(
    start: float, ends: Sequence[float], places: Sequence[float], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the lines.

    Args:
        start: the cell that the lines leave, above.
        ends: the cell that each reaches, below.
        places: the strength of each, 0 to 1; the weakest are left out.
        size: lines of the screen, and cells of each.

    Returns:
        characters, int [lines, cells], blank where nothing is; the strength of the strongest line
        in each cell, [lines, cells].
    """
    height, width = size
    dots = np.zeros((4 * height, 2 * width), bool)
    strengths = np.zeros((height, width))
    for place, end in sorted(zip(places, ends, strict=True)):
        if place < _STRENGTHS[0]:
            continue
        steps = 2 * max(4 * height, round(2 * abs(end - start)))
        y = np.linspace(0, 4 * height - 1, steps).round().astype(int)
        x = np.linspace(2 * start, 2 * end, steps).round().astype(int)
        if place < _STRENGTHS[1]:
            kept = np.arange(steps) % 8 < 2
            x, y = x[kept], y[kept]
        x = x.clip(0, 2 * width - 1)
        dots[y, x] = True
        if place >= _STRENGTHS[2]:
            dots[y, (x + 1).clip(0, 2 * width - 1)] = True
        strengths[y // 4, x // 2] = place
    cells = (dots.reshape(height, 4, width, 2) * _DOTS[None, :, None]).sum((1, 3))
    return np.where(cells, cells + 0x2800, ord(" ")), strengths


def segments(characters: np.ndarray, strengths: np.ndarray, base: Style) -> list[Segment]:
    """One line of the screen, the stronger the more it stands out."""
    levels = np.rint(8 * strengths).astype(int)
    edges = [0, *(np.flatnonzero(levels[1:] != levels[:-1]) + 1).tolist(), len(levels)]
    texts = ("".join(map(chr, characters[a:b])) for a, b in pairwise(edges))
    return [
        Segment(text, _style(int(levels[start]), base))
        for text, start in zip(texts, edges, strict=False)
    ]


def _style(level: int, base: Style) -> Style:
    """Between the background and the ink; dim and bold where the terminal's colours are unknown."""
    if base.color is None or base.bgcolor is None or not base.color.triplet:
        return base + Style(dim=level < 3, bold=level > 5)
    ink, paper = (Color.from_rich_color(each) for each in (base.color, base.bgcolor))
    return base + Style(color=paper.blend(ink, 0.35 + 0.65 * level / 8).rich_color)
