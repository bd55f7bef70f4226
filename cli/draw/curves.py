"""Curves in the terminal: one glyph and one colour for each, on shared axes."""

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

Curve = Sequence[tuple[float, float]]
_MARKS = "●▲■◆✚★"
_COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")


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
    points = [(name, x, y) for name, curve in curves.items() for x, y in curve if math.isfinite(y)]
    if not points:
        return []
    highest_x = max(x for _, x, _ in points) or 1.0
    low, high = min(y for *_, y in points), max(y for *_, y in points)
    high = high if high > low else low + 1.0
    margin = max(len(f"{value:.3g}") for value in (low, high)) + 2
    columns = max(10, width - margin)
    cells: dict[tuple[int, int], int] = {}
    for name, x, y in points:
        row = round((high - y) / (high - low) * (height - 1))
        column = round(x / highest_x * (columns - 1))
        cells[row, column] = list(curves).index(name)
    lines = []
    for row in range(height):
        label = f"{high:.3g}" if row == 0 else f"{low:.3g}" if row == height - 1 else ""
        line = Text(f"{label:>{margin - 2}} │", no_wrap=True)
        for column in range(columns):
            number = cells.get((row, column))
            line.append(*(" ",) if number is None else _mark(number))
        lines.append(line)
    end = f"{highest_x:.3g} {x_name}".rstrip()
    lines.append(Text(f"{'0':>{margin}}{end:>{columns - 1}}", no_wrap=True))
    legend = Text(" " * margin)
    for number, name in enumerate(curves):
        legend.append(*_mark(number)).append(f" {name}   ")
    return [*lines, legend]


def _mark(number: int) -> tuple[str, str]:
    return _MARKS[number % len(_MARKS)], _COLOURS[number % len(_COLOURS)]
