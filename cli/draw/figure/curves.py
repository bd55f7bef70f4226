"""Curves of a training as a panel."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from math import isfinite

from dlcc.cli.draw.curves import Curve
from dlcc.cli.draw.figure.sheet import Sheet
from dlcc.cli.draw.figure.themes import Theme

# Apart for colour-blind eyes (Okabe and Ito 2008), and by their dashes and marks in print.
_ON_WHITE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
_ON_BLACK = ("#56b4e9", "#e69f00", "#40c9a0", "#e6a5cc", "#f0e442", "#8fb8de")
_DASHES = ("-", "--", "-.", ":")
_MARKS = "o^sDP*"
_WIDE, _HIGH = 31, 20  # times the size of letters
_MARKED = 40  # points of a curve, at most, that are marked one by one


@dataclass(frozen=True)
class CurvesPanel:
    """Curves by name on shared axes, with a legend."""

    curves: Mapping[str, Curve]
    """Points (x, y); a y that is not finite is left out."""
    title: str = ""
    x_name: str = ""
    y_name: str = ""

    def least(self, theme: Theme) -> float:
        return _WIDE * theme.size

    def size(self, theme: Theme) -> tuple[float, float]:
        return _WIDE * theme.size, (_HIGH + 3.5) * theme.size

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        from matplotlib.ticker import MaxNLocator

        theme, size = sheet.theme, sheet.theme.size
        left = 5 * size
        axes = sheet.axes(x + left, y, _WIDE * size - left - size, _HIGH * size)
        colours = _ON_WHITE if theme.on_white else _ON_BLACK
        lines = []
        looks = zip(cycle(colours), cycle(_DASHES), cycle(_MARKS))
        for curve, (colour, dash, mark) in zip(self.curves.values(), looks, strict=False):
            points = sorted((px, py) for px, py in curve if isfinite(py))
            every = 1 if len(points) <= _MARKED else len(points)
            lines += axes.plot(
                *zip(*points, strict=True) if points else ([], []),
                color=colour,
                linestyle=dash,
                linewidth=0.15 * size,
                marker=mark,
                markersize=0.5 * size,
                markevery=every,
            )
        if all(float(px).is_integer() for curve in self.curves.values() for px, _ in curve):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(self.x_name, color=theme.ink, fontsize=size, parse_math=False)
        axes.set_ylabel(self.y_name, color=theme.ink, fontsize=size, parse_math=False)
        axes.grid(color=theme.dim, alpha=0.2, linewidth=0.05 * size)
        if len(self.curves) > 1:
            legend = axes.legend(
                lines, list(self.curves), fontsize=0.9 * size, labelcolor=theme.ink, frameon=False
            )
            for text in legend.get_texts():
                text.set_parse_math(False)
