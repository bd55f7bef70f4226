"""Several maps side by side under one cursor: mechanisms, models, or the heads of a layer."""

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import clamp
from textual.widgets import Static

from dlcc.cli.tui.export import Seen, panel, shown_trace
from dlcc.cli.tui.keys import EXPORT, SCALE, Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import Choice, ViewState
from dlcc.cli.tui.widgets.grid import Cell, MapGrid
from dlcc.cli.tui.widgets.ink import bar_of

_LEAST = 24  # columns a map needs


class BesideScreen(PaneScreen):
    """As many maps as there is room for; the answer is the one that was opened."""

    KEYS: ClassVar[Keys] = {
        "Side by side": (
            *arrows(
                "Cursor to the left, in every map",
                "Cursor to the right",
                "Cursor up",
                "Cursor down",
            ),
            Key("tab,full_stop", "Tab .", "turn(1)", "The next maps", footer="next"),
            Key("shift+tab,comma", "⇧Tab ,", "turn(-1)", "The maps before"),
            SCALE,
            EXPORT,
            Key("enter", "Enter", "take", "Open the first of these maps", footer="open"),
            Key("escape,b", "Esc b", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)
    DEFAULT_CSS = """
    BesideScreen Vertical { border-right: solid $primary; }
    BesideScreen .value { height: 2; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        choice, trace = state.choice, state.trace
        if len(state.traces) > 1:
            choices = [replace(choice, trace=number) for number in range(len(state.traces))]
        elif trace.num_heads > 1:
            choices = [replace(choice, head=number) for number in range(trace.num_heads)]
        else:
            choices = [replace(choice, layer=n, head=0) for n in range(trace.num_layers)]
        self._choices = [state.nearest(choice) for choice in choices]
        self._first = self._choices.index(choice) if choice in self._choices else 0
        self.row, self.column = state.row, state.column
        self._panes: list[tuple[Vertical, Static, MapGrid, Static, Static]] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            for _ in self._choices[: max(1, min(4, self.app.size.width // _LEAST))]:
                bar, value = Static(classes="line"), Static(classes="value")
                pane = Static(classes="line"), MapGrid(), bar, value
                column = Vertical(*pane)
                self._panes.append((column, *pane))
                yield column
        yield footer()

    def on_resize(self) -> None:
        room = max(1, self.app.size.width // _LEAST)
        for number, (column, *_) in enumerate(self._panes):
            column.display = number < room
        self.call_after_refresh(self._even_out)

    def _shown(self) -> list[Choice]:
        count = len(self._choices)
        return [self._choices[(self._first + n) % count] for n in range(len(self._panes))]

    def seen(self) -> Seen:
        state, panes = self.state, zip(self._shown(), self._panes, strict=True)
        shown = [choice for choice, (column, *_) in panes if column.display]
        panels = [panel(state, each, state.scale_for(each, self.scale)) for each in shown]
        return Seen(panels, [shown_trace(state, each) for each in shown], state.palette)

    def draw(self) -> None:
        for (_, name, grid, bar, _), choice in zip(self._panes, self._shown(), strict=True):
            shown = self.state.map_of(choice)
            number = f"{self._choices.index(choice) + 1}/{len(self._choices)} "
            name.update(Text(f"{number}{shown.title}", "bold"), layout=False)
            grid.highlight = self.state.highlight
            grid.fit_zoom()
            scale = self.state.scale_for(choice, self.scale)
            grid.show(shown, self.state, scale)
            width = self.app.size.width // len(self._panes) - 1
            bar.update(bar_of(scale, self.state, width), layout=False)
        self.call_after_refresh(self._even_out)
        self.place()

    def _even_out(self) -> None:
        """Give all maps the cells that the narrowest has."""
        grids = [grid for column, _, grid, *_ in self._panes if column.display]
        sizes = [(grid.cell.lines, grid.cell.width) for grid in grids]
        for grid in grids:
            grid.take(Cell(*map(min, zip(*sizes, strict=True))))

    def place(self) -> None:
        for (_, _, grid, _, value), choice in zip(self._panes, self._shown(), strict=True):
            shown = self.state.map_of(choice)
            rows, columns = shown.values.shape
            row, column = min(self.row, rows - 1), min(self.column, columns - 1)
            grid.place(row, column)
            weight = float(shown.values[row, column])
            value.update(Text(f"{shown.names(row, column)}\n{weight:.4f}"), layout=False)

    def action_move(self, down: int, right: int) -> None:
        shapes = [self.state.map_of(choice).values.shape for choice in self._shown()]
        rows, columns = map(max, zip(*shapes, strict=True))
        self.row = clamp(self.row + down, 0, rows - 1)
        self.column = clamp(self.column + right, 0, columns - 1)
        self.place()

    def action_turn(self, step: int) -> None:
        self._first = (self._first + step) % len(self._choices)
        self.draw()

    def action_take(self) -> None:
        self.dismiss(self._shown()[0])
