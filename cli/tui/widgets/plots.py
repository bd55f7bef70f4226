"""Curves as a widget: as many plots below each other as there is room for."""

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual import events
from textual.widgets import Static

from dlcc.cli.draw.curves import Curve, draw_curves

_ROWS = 9  # that a plot needs, with its name, axis and legend
_AROUND = 3  # of these


class Plots(Static):
    """Plots by name, each of curves by name over the epochs."""

    DEFAULT_CSS = "Plots { height: 1fr; width: 1fr; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._plots: Sequence[tuple[str, Mapping[str, Curve]]] = ()

    def show(self, plots: Sequence[tuple[str, Mapping[str, Curve]]]) -> None:
        """Draw these; the first ones where there is no room for all."""
        self._plots = plots
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        shown = self._plots[: max(1, height // _ROWS)]
        lines: list[Text] = []
        for name, curves in shown:
            lines.append(Text(f" {name}", "dim"))
            rows = max(3, height // len(shown) - _AROUND)
            lines += draw_curves(curves, max(20, width - 1), rows, "epochs")
        self.update(Text("\n").join(lines))
