"""The map screen: one map, or picture, with a cursor; everything else is reached from here."""

import numpy as np
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from dlcc.cli.tui.available import all_available, available
from dlcc.cli.tui.keys import MAP_KEYS, bindings
from dlcc.cli.tui.screens import tasks
from dlcc.cli.tui.state import HIGHLIGHTS, ROLLOUT, Choice, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.body import MapBody
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import PALETTE_NAMES
from dlcc.cli.tui.widgets.picture import BLENDS, Picture
from dlcc.core.errors import DataError
from dlcc.core.trace import maps

_FAR = 10**6  # further than any map reaches
_PATCH_PAGE = 5


class MapScreen(Screen[None]):
    """Turns keys into changes of `state`, and has `body` draw them."""

    KEYS = MAP_KEYS
    BINDINGS = bindings(MAP_KEYS)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it
    CSS = """
    MapScreen.-wide #main { layout: horizontal; }
    MapScreen.-wide #side { width: 42; height: 1fr; layout: vertical; border-top: none;
                            border-left: solid $primary; padding: 0 1; }
    MapScreen.-wide #info { text-wrap: wrap; text-overflow: fold; }
    MapScreen.-wide #minimap { width: 100%; height: 14; margin: 1 0 0 0; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state: ViewState = state
        self.body: MapBody = MapBody(state)
        self.searched = ""
        """The word searched for, in lower case."""
        self.match = 0
        """The number of the match under the cursor."""
        self._head = 0
        """What the sums, means and maxima go back to."""
        self._working: frozenset[str] = frozenset()

    @property
    def matches(self) -> list[tuple[str, int]]:
        """Where the word searched for stands: ("row" or "column", number)."""
        shown = self.state.shown
        sides = (("row", shown.row_labels), ("column", shown.column_labels))
        return [
            (side, place)
            for side, labels in sides
            for place, label in enumerate(labels)
            if self.searched and self.searched in label.casefold()
        ]

    def compose(self) -> ComposeResult:
        yield self.body
        yield Footer(compact=True, show_command_palette=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return available(self, action)

    def redraw(self) -> None:
        """Draw the state anew, and show the keys that it has where these have changed."""
        self.body.redraw()
        working = all_available(self)
        if working != self._working:
            self._working = working
            self.refresh_bindings()

    # Moving

    def go(self, row: int, column: int) -> None:
        """Put the cursor on a cell, inside the map."""
        rows, columns = self.state.shown.values.shape
        self.state.row = max(0, min(row, rows - 1))
        self.state.column = max(0, min(column, columns - 1))
        self.body.place_cursor()

    def action_move(self, down: int, right: int) -> None:
        state = self.state
        if self.body.in_picture:
            patches.move(state, down, right, self.body.follow)
            self.body.place_cursor()
        else:
            self.go(state.row + down, state.column + right)

    def action_page(self, down: int, right: int) -> None:
        _, _, height, width = self.body.grid.sight
        if self.body.in_picture:
            height = width = _PATCH_PAGE
        self.action_move(down * height, right * width)

    def action_edge(self, down: int, right: int) -> None:
        self.action_move(down * _FAR, right * _FAR)

    def action_strongest(self) -> None:
        row = self.state.shown.values[self.state.row]
        self.go(self.state.row, int(np.abs(row).argmax()))

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self.go(event.row, event.column)
        if event.again and available(self, "explain"):
            self.action_explain()

    def on_picture_touched(self, event: Picture.Touched) -> None:
        patches.touch(self.state, event.patch, self.body.follow)
        self.body.place_cursor()

    # Which map

    def choose(self, choice: Choice) -> None:
        """Show another map of the frame."""
        self.state.choose(choice)
        self.redraw()

    def action_head(self, step: int) -> None:
        choice, count = self.state.choice, self.state.trace.num_heads
        before = choice.head if isinstance(choice.head, int) else min(-step, 0)
        self.choose(Choice(choice.trace, choice.layer, (before + step) % count))

    def action_layer(self, step: int) -> None:
        choice = self.state.choice
        layer = (choice.layer + step) % self.state.trace.num_layers
        head = 0 if choice.head == ROLLOUT else choice.head
        self.choose(Choice(choice.trace, layer, head))

    def action_reduce(self) -> None:
        choice = self.state.choice
        if isinstance(choice.head, int):
            self._head = choice.head
        ways: tuple[int | str, ...] = (self._head, *maps.REDUCTIONS)
        place = ways.index(choice.head) if choice.head in ways else 0
        self.choose(Choice(choice.trace, choice.layer, ways[(place + 1) % len(ways)]))

    def action_rollout(self) -> None:
        choice = self.state.choice
        head = 0 if choice.head == ROLLOUT else ROLLOUT
        self.choose(Choice(choice.trace, choice.layer, head))

    def action_trace(self, step: int) -> None:
        choice = self.state.choice
        number = (choice.trace + step) % len(self.state.traces)
        self.choose(Choice(number, choice.layer, choice.head))

    def action_epoch(self, step: int) -> None:
        frame = self.state.frame + step
        if not 0 <= frame < len(self.state.frames):
            self.notify("This is the " + ("first" if step < 0 else "last") + " epoch.")
            return
        try:
            self.state.go_to_frame(frame)
        except DataError as error:
            self.app.fail(error)  # type: ignore[attr-defined]
            return
        self.redraw()

    # How it is drawn

    def action_zoom(self, step: int) -> None:
        self.body.grid.set_zoom(step)
        self.body.update_info()

    def action_fit(self) -> None:
        self.body.grid.fit_zoom()
        self.body.update_info()

    def action_scale(self) -> None:
        self.state.scale = _next(maps.SCALES, self.state.scale)
        self.redraw()

    def action_palette(self) -> None:
        self.state.palette = _next(PALETTE_NAMES, self.state.palette)
        self.redraw()

    def action_highlight(self) -> None:
        self.state.highlight = _next(HIGHLIGHTS, self.state.highlight)
        self.redraw()

    def action_special(self) -> None:
        self.state.regroup(hide_special=not self.state.hide_special)
        self.redraw()

    def action_words(self) -> None:
        self.state.regroup(words=not self.state.words)
        self.redraw()

    def action_picture(self) -> None:
        self.body.in_picture = not self.body.in_picture
        if self.body.in_picture:
            patches.enter(self.state, self.body.follow)
        self.redraw()

    def action_follow(self) -> None:
        self.body.follow = not self.body.follow
        patches.enter(self.state, self.body.follow)
        self.redraw()

    def action_blend(self) -> None:
        self.body.blend = _next(BLENDS, self.body.blend)
        self.redraw()

    # Reading

    def action_select_row(self) -> None:
        self.state.rows ^= {self.state.row}
        self.redraw()

    def action_select_column(self) -> None:
        self.state.columns ^= {self.state.column}
        self.redraw()

    def action_clear(self) -> None:
        self.state.rows, self.state.columns, self.state.minus = set(), set(), None
        self.searched = ""
        self.redraw()

    def action_search(self) -> None:
        tasks.search(self)

    def action_match(self, step: int) -> None:
        tasks.go_to_match(self, step)

    def action_explain(self) -> None:
        tasks.explain(self)

    def action_overview(self) -> None:
        tasks.overview(self)

    def action_beside(self) -> None:
        tasks.beside(self)

    def action_difference(self) -> None:
        tasks.subtract(self)

    def action_alternatives(self) -> None:
        tasks.choose_alternative(self)

    def action_explanations(self) -> None:
        tasks.explanations(self)

    def action_cutmix(self) -> None:
        tasks.cutmix(self)

    def action_table(self) -> None:
        tasks.table(self)

    # Taking away

    def action_save(self) -> None:
        tasks.save(self)

    def action_export(self) -> None:
        tasks.export_view(self)

    def action_copy_cell(self) -> None:
        tasks.copy_cell(self)

    def action_copy_row(self) -> None:
        tasks.copy_row(self)

    def action_command(self) -> None:
        tasks.show_command(self)


def _next(ways: tuple[str, ...], now: str) -> str:
    return ways[(ways.index(now) + 1) % len(ways)]
