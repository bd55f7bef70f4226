"""Attention, rollout and the trace's explanations side by side, with their rank correlation."""

from typing import ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from dlcc.cli.draw.labels import display, fit
from dlcc.cli.tui.keys import Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import ROLLOUT, Choice, ShownMap, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.core.trace import maps

_PREFIX = "explanation."


def collected(state: ViewState) -> dict[str, np.ndarray]:
    """Each method's value [K] of every key, for the query under the cursor."""
    trace, query = state.trace, state.shown.queries[state.row][0]
    plain = ViewState(state.frames, state.frame)
    found = {f"attention ({state.title_of(state.choice)})": plain.map_of(state.choice).values}
    rollout = f"{_PREFIX}rollout"
    if maps.can_roll_out(trace.weights.shape) and rollout not in trace.tensors:
        found["rollout"] = plain.map_of(Choice(state.choice.trace, 0, ROLLOUT)).values
    rows = {name: values[query] for name, values in found.items()}
    for name, values in trace.tensors.items():
        if name.startswith(_PREFIX):
            rows[display(name.removeprefix(_PREFIX))] = values
    return rows


def correlations(rows: dict[str, np.ndarray]) -> str:
    """Spearman's rank correlation of every two methods, as a table."""
    width = max(map(len, rows))
    head = " " * (width + 5) + "".join(f"{n + 1:>8}" for n in range(len(rows)))
    lines = ["Rank correlation (Spearman)", head]
    for number, (name, values) in enumerate(rows.items()):
        figures = (maps.rank_correlation(values, other) for other in rows.values())
        cells = "".join(f"{'-' if f != f else format(f, '.2f'):>8}" for f in figures)
        lines.append(f"{number + 1:>3}  {fit(name, width)}{cells}")
    return "\n".join(lines)


class ExplanationsScreen(PaneScreen):
    """One row a method for text, one picture a method for images."""

    KEYS: ClassVar[Keys] = {
        "Explanations": (
            *arrows(
                "One key to the left",
                "One key to the right",
                "One method, or patch, up",
                "One method, or patch, down",
                footer="move",
            ),
            Key("escape,E", "Esc E", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)
    DEFAULT_CSS = """
    ExplanationsScreen .maps { height: 1fr; }
    ExplanationsScreen .maps Vertical { width: 1fr; }
    ExplanationsScreen Picture { height: 1fr; }
    ExplanationsScreen #here { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    ExplanationsScreen #table { height: auto; border-top: solid $primary; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        self._rows = collected(state)
        self._row, self._column = 0, 0
        self._is_picture = state.trace.image is not None
        if self._is_picture:
            self._column = patches.first_key(state.trace)

    def compose(self) -> ComposeResult:
        yield Static(id="here", markup=False)
        with Horizontal(classes="maps"):
            if not self._is_picture:
                yield MapGrid()
            else:
                for number, name in enumerate(self._rows):
                    with Vertical():
                        yield Static(f"{number + 1} {name}", classes="name", markup=False)
                        yield Picture()
        yield Static(Text(correlations(self._rows)), id="table")
        yield footer()

    def draw(self) -> None:
        if self._is_picture:
            self._show_pictures()
        else:
            self._show_grid()
        self._place()

    def _show_grid(self) -> None:
        values = np.stack(list(self._rows.values())).astype(np.float32)
        labels = tuple(map(display, self.state.trace.key))
        shown = ShownMap(values, tuple(self._rows), labels, (), (), "", bool(values.min() < 0))
        self.query_one(MapGrid).show(shown, self.state.palette_seen, "row", self.state.system)

    def _show_pictures(self) -> None:
        trace = self.state.trace
        assert trace.image is not None
        start = patches.first_key(trace)
        for picture, values in zip(self.query(Picture), self._rows.values(), strict=True):
            weights = maps.scaled(values[None, start:], "row").reshape(trace.grid)
            picture.show(trace.image, weights, self.state.palette_seen, self.state.system)

    def _place(self) -> None:
        trace = self.state.trace
        key = display(trace.key[self._column])
        parts = (f"{name} {values[self._column]:.4f}" for name, values in self._rows.items())
        self.query_one("#here", Static).update(f" {key}: {', '.join(parts)}")
        if not self._is_picture:
            self.query_one(MapGrid).place(self._row, self._column)
            return
        assert trace.grid is not None
        patch = divmod(self._column - patches.first_key(trace), trace.grid[1])
        for picture in self.query(Picture):
            picture.place(patch)

    def action_move(self, down: int, right: int) -> None:
        trace, start = self.state.trace, 0
        if self._is_picture:
            assert trace.grid is not None
            start = patches.first_key(trace)
            right += down * trace.grid[1]
        else:
            self._row = max(0, min(self._row + down, len(self._rows) - 1))
        column = self._column + right
        if start <= column < len(trace.key):
            self._column = column
        self._place()

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self._row, self._column = event.row, event.column
        self._place()

    def on_picture_touched(self, event: Picture.Touched) -> None:
        assert self.state.trace.grid is not None
        row, column = event.patch
        self._column = patches.first_key(self.state.trace) + row * self.state.trace.grid[1] + column
        self._place()
