"""Several maps side by side under one cursor: mechanisms, models, or the heads of a layer."""

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.geometry import Size, clamp
from textual.widgets import Static

from dlcc.cli.tui.export import Seen, panel, shown_trace
from dlcc.cli.tui.keys import EXPORT, SCALE, Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import PICTURE, Choice, ShownMap, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.cells import Cell, fitted, sizes
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import Ink, bar_of
from dlcc.cli.tui.widgets.picture import Picture

_MOST = 9  # maps at once
_LEAST = Size(24, 11)  # of a map with its lines
_LINES = 4  # of a map's name, scale and value
_CUT = (0, 0, 0)  # how clear panes are in which not all of a map is in sight
_CLEAR = 24  # pixels across a picture that is still one

Clarity = tuple[int, int, int]
"""Whether columns are named by words, not numbers; lines and columns of a cell, or pixels."""


class Pane(Vertical):
    """A map, or the picture that it lights, under its name."""

    DEFAULT_CSS = """
    Pane { border-right: solid $primary; }
    Pane .value { height: 2; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, as_picture: bool) -> None:
        super().__init__()
        self.heading, self.bar = Static(classes="line"), Static(classes="line")
        self.value = Static(classes="value")
        self.body: MapGrid | Picture = Picture() if as_picture else MapGrid()

    def compose(self) -> ComposeResult:
        yield from (self.heading, self.body, self.bar, self.value)


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
            Key("plus,equals_sign", "+", "count(1)", "More maps at once", footer="more"),
            Key("minus", "-", "count(-1)", "Fewer maps, each larger", footer="fewer"),
            SCALE,
            EXPORT,
            Key("enter", "Enter", "take", "Open the first of these maps", footer="open"),
            Key("escape,b", "Esc b", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)
    DEFAULT_CSS = "BesideScreen Grid { height: 1fr; }"

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
        self._as_picture = state.view == PICTURE
        self._count: int | None = None  # as many as there is room for
        self._panes = [Pane(self._as_picture) for _ in self._choices[:_MOST]]

    def compose(self) -> ComposeResult:
        with Grid():
            yield from self._panes
        yield footer()

    def on_resize(self) -> None:
        self.draw()

    def _shown(self) -> list[Choice]:
        """What the panes in sight show."""
        count = len(self._choices)
        return [self._choices[(self._first + n) % count] for n in range(len(self._in_sight()))]

    def _in_sight(self) -> list[Pane]:
        return [pane for pane in self._panes if pane.display]

    def seen(self) -> Seen:
        state, shown = self.state, self._shown()
        panels = [panel(state, each, state.scale_for(each, self.scale)) for each in shown]
        return Seen(panels, [shown_trace(state, each) for each in shown], state.palette)

    # Layout

    def _arrange(self) -> int:
        """Show as many panes as are clear, or as were asked for, in rows and columns that make them
        large; how many stand in a row."""
        most = len(self._panes)
        ways = {count: self._largest(count) for count in range(1, most + 1)}
        possible = [count for count in ways if ways[count][0] >= _CUT] or [1]
        if self._count is None:
            several = possible[1:] or possible
            clear = [count for count in several if ways[count][0] >= self._clear]
            whole = [count for count in several if ways[count][0] > _CUT]
            largest = max(whole, key=lambda count: (ways[count][0], count), default=several[0])
            count = max(clear, default=largest)
        else:
            count = max(each for each in possible if each <= max(self._count, possible[0]))
        self._count = self._count and count
        across = ways[count][1]
        for number, pane in enumerate(self._panes):
            pane.display = number < count
        grid = self.query_one(Grid)
        grid.styles.grid_size_columns, grid.styles.grid_size_rows = across, -(-count // across)
        return across

    @property
    def _clear(self) -> Clarity:
        """From where a map, or a picture, is worth looking at."""
        return (1, _CLEAR, _CLEAR) if self._as_picture else (1, 1, 2)

    def _largest(self, count: int) -> tuple[Clarity, int]:
        """How clear so many panes are at most, and how many then stand in a row; less than `_CUT`
        where there is no room."""
        ways = ((self._size_of(count, across), across) for across in range(1, count + 1))
        return max(ways, key=lambda way: (way[0], -(-count % way[1]), way[1]))

    def _size_of(self, count: int, across: int) -> Clarity:
        room = Size(
            self.app.size.width // across - 1, (self.app.size.height - 1) // -(-count // across)
        )
        if room.width < _LEAST.width - 1 or room.height < _LEAST.height:
            return (-1, 0, 0) if count > 1 else _CUT
        room = Size(room.width, room.height - _LINES)
        if self._as_picture:
            pixels = min(room.width, 2 * room.height)
            return 1, pixels, pixels
        layouts = [fitted(each, room, sizes(each, self._is_colored)) for each in self._first_maps()]
        if not all(each.whole for each in layouts):
            return _CUT
        return min((each.words > 1, each.cell.lines, each.cell.width) for each in layouts)

    @property
    def _is_colored(self) -> bool:
        return Ink(self.state.palette_seen, self.state.system, 1).colored

    def _first_maps(self) -> list[ShownMap]:
        """Maps of all sizes that there are."""
        maps = {each.values.shape: each for each in map(self.state.map_of, self._choices)}
        return list(maps.values())

    # Drawing

    def draw(self) -> None:
        width = self.app.size.width // self._arrange() - 1
        for pane, choice in zip(self._in_sight(), self._shown(), strict=True):
            shown, scale = self.state.map_of(choice), self.state.scale_for(choice, self.scale)
            number = f"{self._choices.index(choice) + 1}/{len(self._choices)} "
            pane.heading.update(Text(f"{number}{shown.title}", "bold"), layout=False)
            if isinstance(pane.body, MapGrid):
                pane.body.highlight = self.state.highlight
                pane.body.fit_zoom()
                pane.body.show(shown, self.state, scale)
            blend = self.state.blend if self._as_picture else ""
            pane.bar.update(bar_of(scale, self.state, width, blend=blend), layout=False)
        self.call_after_refresh(self._even_out)
        self.place()

    def _even_out(self) -> None:
        """Give all maps the cells that the narrowest has."""
        grids = [pane.body for pane in self._in_sight() if isinstance(pane.body, MapGrid)]
        found = [(grid.cell.lines, grid.cell.width) for grid in grids]
        for grid in grids:
            grid.take(Cell(*map(min, zip(*found, strict=True))))

    def place(self) -> None:
        for pane, choice in zip(self._in_sight(), self._shown(), strict=True):
            shown, trace = self.state.map_of(choice), self.state.traces[choice.trace]
            rows, columns = shown.values.shape
            row, column = min(self.row, rows - 1), min(self.column, columns - 1)
            if isinstance(pane.body, MapGrid):
                pane.body.place(row, column)
            elif trace.image is not None:
                scale = self.state.scale_for(choice, self.scale)
                weights = patches.weights_of(shown, trace, scale.places(shown.values)[row])
                pane.body.show(trace.image, weights, self.state, self.state.blend)
                pane.body.place(patches.patch_of(trace, shown.keys[column][0]))
            weight = float(shown.values[row, column])
            names = patches.names(trace, shown, row, column)
            pane.value.update(Text(f"{names}\n{weight:.4f}"), layout=False)

    def on_picture_touched(self, event: Picture.Touched) -> None:
        state = self.state
        patches.touch(state, event.patch)
        self.row, self.column = state.row, state.column
        self.place()

    def action_move(self, down: int, right: int) -> None:
        if self._as_picture:
            patches.move(self.state, down, right)
            self.row, self.column = self.state.row, self.state.column
        else:
            shapes = [self.state.map_of(choice).values.shape for choice in self._shown()]
            rows, columns = map(max, zip(*shapes, strict=True))
            self.row = clamp(self.row + down, 0, rows - 1)
            self.column = clamp(self.column + right, 0, columns - 1)
        self.place()

    def action_turn(self, step: int) -> None:
        self._first = (self._first + step) % len(self._choices)
        self.draw()

    def action_count(self, step: int) -> None:
        self._count = clamp(len(self._in_sight()) + step, 1, len(self._panes))
        self.draw()

    def action_take(self) -> None:
        self.dismiss(self._shown()[0])
