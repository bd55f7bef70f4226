"""The map screen: keys move the cursor, choose the map and change how it is drawn."""

import numpy as np
from textual.geometry import clamp

from dlcc.cli.draw.pictures import BLENDS
from dlcc.cli.tui.keys import MAP_KEYS, bindings
from dlcc.cli.tui.messages import Failed
from dlcc.cli.tui.screens.what_if import WhatIf
from dlcc.cli.tui.state import HIGHLIGHTS, MAP, PICTURE, ROLLOUT, TEXT, Choice, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import PALETTE_NAMES
from dlcc.cli.tui.widgets.minimap import Minimap
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.cli.tui.widgets.text import TextView
from dlcc.cli.tui.widgets.traces import TraceNames
from dlcc.core.errors import DataError
from dlcc.core.files.remembered import remember
from dlcc.core.trace import maps
from dlcc.core.trace.scales import SCALES

_FAR = 10**6  # further than any map reaches
_PATCH_PAGE = 5


class MapScreen(WhatIf):
    """One map, or picture, with a cursor; everything else is reached from here."""

    KEYS = MAP_KEYS
    BINDINGS = bindings(MAP_KEYS)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]  # noqa: RUF012
    CSS = """
    MapScreen.projector #side, MapScreen.projector Footer { display: none; }
    MapScreen.projector #title { height: 3; padding: 1 2; text-style: bold; text-align: center; }
    MapScreen.projector #look { text-align: center; }
    MapScreen.-short.projector #title { height: 1; padding: 0 2; }
    MapScreen.-short #side { height: 2; border-top: none; }
    MapScreen.-wide #main { layout: horizontal; }
    MapScreen.-wide #side { width: 42; height: 1fr; layout: vertical; border-top: none;
                            border-left: solid $primary; padding: 0 1; }
    MapScreen.-wide #info { text-wrap: wrap; text-overflow: fold; }
    MapScreen.-wide #minimap { width: 100%; height: 14; margin: 1 0 0 0; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__(state)
        patches.begin(state)
        self._head = 0  # what the sums, means and maxima go back to

    # Moving

    def action_move(self, down: int, right: int) -> None:
        state = self.state
        if state.view == PICTURE:
            patches.move(state, down, right)
            self.body.place_cursor()
        elif state.view == TEXT:
            self._ask(state.row + down + right)
        else:
            self.go(state.row + down, state.column + right)

    def action_row(self, step: int) -> None:
        self.action_move(step, 0)

    def action_page(self, down: int, right: int) -> None:
        _, _, height, width = self.body.grid.sight
        if self.state.view == PICTURE:
            height = width = _PATCH_PAGE
        elif self.state.view == TEXT:
            self.action_line((down + right) * max(1, self.body.text.size.height - 1))
            return
        self.action_move(down * height, right * width)

    def action_line(self, lines: int) -> None:
        """In a text, go to the word so many lines below."""
        self._ask(self.body.text.step(self.state.row, lines))

    def _ask(self, row: int) -> None:
        """Have a word of the text ask, and put the cursor on what it looks at most."""
        self.state.row = clamp(row, 0, len(self.state.shown.values) - 1)
        self.action_strongest()

    def action_edge(self, down: int, right: int) -> None:
        self.action_move(down * _FAR, right * _FAR)

    def action_strongest(self) -> None:
        row = self.state.shown.values[self.state.row]
        self.go(self.state.row, int(np.abs(row).argmax()))

    def on_map_grid_touched(self, event: MapGrid.Touched) -> None:
        self.go(event.row, event.column)
        if event.again and self.check_action("explain", ()):
            self.action_explain()

    def on_minimap_touched(self, event: Minimap.Touched) -> None:
        self.go(event.row, event.column)

    def on_trace_names_touched(self, event: TraceNames.Touched) -> None:
        choice = self.state.choice
        self.choose(Choice(event.number, choice.layer, choice.head))

    def on_picture_touched(self, event: Picture.Touched) -> None:
        patches.touch(self.state, event.patch)
        self.body.place_cursor()

    def on_text_view_touched(self, event: TextView.Touched) -> None:
        state = self.state
        self.go(*((event.place, state.column) if event.asks else (state.row, event.place)))

    # Which map

    def action_head(self, step: int) -> None:
        choice, count = self.state.choice, self.state.trace.num_heads
        before = choice.head if isinstance(choice.head, int) else min(-step, 0)
        self.choose(Choice(choice.trace, choice.layer, (before + step) % count))

    def action_next_head(self, step: int) -> None:
        self.action_head(step)

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
        if self.state.view == TEXT and self.state.trace.num_layers > 1:
            self.action_layer(step)
            return
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
            self.post_message(Failed(error))
        else:
            self.redraw()

    # How it is drawn

    def action_zoom(self, step: int) -> None:
        self.body.grid.set_zoom(step)
        self.body.update_info()

    def action_fit(self) -> None:
        self.body.grid.fit_zoom()
        self.body.update_info()

    def action_scale(self) -> None:
        self.state.scale = _next(SCALES, self.state.scale)
        self.redraw()

    def action_projector(self) -> None:
        self.state.projector = not self.state.projector
        self.redraw()

    def action_palette(self) -> None:
        self.state.palette = _next(PALETTE_NAMES, self.state.palette)
        remember(palette=self.state.palette)
        self.redraw()

    def action_highlight(self) -> None:
        self.state.highlight = _next(HIGHLIGHTS, self.state.highlight)
        self.redraw()

    def action_special(self) -> None:
        self.state.regroup(self.state.words, not self.state.hide_special)
        self.redraw()

    def action_words(self) -> None:
        self.state.regroup(not self.state.words, self.state.hide_special)
        self.redraw()

    def action_text(self) -> None:
        self.state.view = MAP if self.state.view == TEXT else TEXT
        self.redraw()

    def action_picture(self) -> None:
        self.state.view = MAP if self.state.view == PICTURE else PICTURE
        if self.state.view == PICTURE:
            patches.enter(self.state)
        self.redraw()

    def action_follow(self) -> None:
        self.state.follow = not self.state.follow
        patches.enter(self.state)
        self.redraw()

    def action_blend(self) -> None:
        self.state.blend = _next(BLENDS, self.state.blend)
        self.redraw()

    # Selecting

    def action_select_row(self) -> None:
        self.state.rows ^= {self.state.row}
        self.redraw()

    def action_select_column(self) -> None:
        self.state.columns ^= {self.state.column}
        self.redraw()

    def action_clear(self) -> None:
        if self.state.projector:
            self.action_projector()
            return
        self.state.rows, self.state.columns, self.state.minus = set(), set(), None
        self.state.searched = ""
        self.redraw()


def _next(ways: tuple[str, ...], now: str) -> str:
    return ways[(ways.index(now) + 1) % len(ways)]
