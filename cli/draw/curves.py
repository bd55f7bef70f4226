"""Curves in the terminal: lines of dots, each with its mark and its colour, on shared axes."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from plotille import Canvas
from rich.text import Text

Curve = Sequence[tuple[float, float]]
_MARKS = "●▲■◆✚★"
_COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")
_EMPTY = "⠀"  # a cell without a dot
_FEW = 3  # columns a point, at least, where each is marked; else the last alone is


def draw_curves(
    curves: Mapping[str, Curve], width: int = 70, height: int = 14, x_name: str = ""
) -> list[Text]:
    """Points (x, y) by name, later curves over earlier ones, with a legend.

    Args:
        curves: by name; a y that is not finite is left out.
        width: columns in all.
        height: rows of the plot itself.
        x_name: what runs to the right.

    Returns:
        Lines; none where there is no point.
    """
    shown = {
        name: sorted((x, y) for x, y in curve if math.isfinite(y)) for name, curve in curves.items()
    }
    points = [point for curve in shown.values() for point in curve]
    if not points:
        return []
    highest_x = max(x for x, _ in points) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)
    margin = max(len(f"{value:.3g}") for value in (low, high)) + 2
    columns = max(10, width - margin)
    wide, tall = 2 * columns, 4 * height  # dots
    drawn = []
    for number, curve in enumerate(shown.values()):
        dots = [
            (x / highest_x * (wide - 1), (y - low) / (high - low or 1.0) * (tall - 1))
            for x, y in curve
        ]
        drawn.append(_rows(dots, Canvas(columns, height, 0, 0, wide, tall), _mark(number)[0]))
    lines = []
    for row in range(height):
        label = f"{high:.3g}" if row == 0 else f"{low:.3g}" if row == height - 1 else ""
        line = Text(f"{label:>{margin - 2}} │", no_wrap=True)
        for column in range(columns):
            there = [n for n, rows in enumerate(drawn) if rows[row][column] != _EMPTY]
            line.append(
                drawn[there[-1]][row][column], _mark(there[-1])[1]
            ) if there else line.append(" ")
        lines.append(line)
    end = f"{highest_x:.3g} {x_name}".rstrip()
    lines.append(Text(f"{'0':>{margin}}{end:>{columns - 1}}", no_wrap=True))
    legend = Text(" " * margin)
    for number, name in enumerate(curves):
        legend.append(*_mark(number)).append(f" {name}   ")
    return [*lines, legend]


def _rows(curve: Curve, canvas: Canvas, mark: str) -> list[str]:
    """Rows of an empty canvas with a curve on it, its points marked."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        canvas.line(x0, y0, x1, y1)
    for x, y in curve if len(curve) * _FEW <= canvas.width else curve[-1:]:
        canvas.point(x, y, marker=mark)
    return str(canvas.plot()).splitlines()


def _mark(number: int) -> tuple[str, str]:
    return _MARKS[number % len(_MARKS)], _COLOURS[number % len(_COLOURS)]
