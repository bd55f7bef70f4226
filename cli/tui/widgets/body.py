"""The map, text or picture, the headings above it and the panel beside it: all that is drawn."""

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.widgets import Static

from dlcc.cli.draw.labels import display
from dlcc.cli.draw.pictures import PLAIN
from dlcc.cli.tui import info
from dlcc.cli.tui.state import MAP, PICTURE, TEXT, ViewState, trace_name
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.grid import MapGrid
from dlcc.cli.tui.widgets.ink import Ink, bar_of
from dlcc.cli.tui.widgets.minimap import Minimap
from dlcc.cli.tui.widgets.picture import Picture
from dlcc.cli.tui.widgets.text import TextView
from dlcc.cli.tui.widgets.traces import TraceNames

_INFO_LINES = 5
_NEARLY = 0.6  # of a picture's size, from which the plain one stands beside it


class MapBody(Container):
    """Draws a state; the keys that change it are the screen's."""

    DEFAULT_CSS = """
    MapBody { layout: vertical; height: 1fr; }
    MapBody #title { height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $boost; }
    MapBody .under { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    MapBody #main { height: 1fr; layout: vertical; }
    MapBody #grid, MapBody #pictures, MapBody #text { height: 1fr; width: 1fr; }
    MapBody #picture, MapBody #plain { height: 1fr; width: 1fr; }
    MapBody #picture { margin-right: 1; }
    MapBody #locator { display: none; width: 100%; height: 14; margin: 1 0 0 0; }
    MapBody #side { height: 6; layout: horizontal; border-top: solid $primary; }
    MapBody #info { width: 1fr; height: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    MapBody #minimap { width: 22; height: 1fr; margin-left: 1; }
    """

    def __init__(self, state: ViewState) -> None:
        super().__init__()
        self.state: ViewState = state

    def compose(self) -> ComposeResult:
        yield TraceNames(id="title")
        yield Static(id="look", classes="under")
        yield Static(id="epochs", classes="under")
        with Container(id="main"):
            yield MapGrid(id="grid")
            with Horizontal(id="pictures"):
                yield Picture(id="picture")
                yield Picture(id="plain")
            yield TextView(id="text")
            with Container(id="side"):
                yield Static(id="info")
                yield Picture(id="locator")
                yield Minimap(id="minimap")

    def on_mount(self) -> None:
        self.grid = self.query_one(MapGrid)
        self.picture = self.query_one("#picture", Picture)
        self.plain, self.locator = (self.query_one(f"#{n}", Picture) for n in ("plain", "locator"))
        self.text = self.query_one(TextView)
        self.minimap = self.query_one(Minimap)
        self.panel = self.query_one("#info", Static)
        for axis in ("scroll_x", "scroll_y"):
            self.watch(self.grid, axis, lambda: self.minimap.frame(self.grid.sight), init=False)
        self.redraw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self.draw_picture()
        self.update_info()

    def redraw(self) -> None:
        """Draw everything anew: another map, or the same one otherwise."""
        state, shown, grid = self.state, self.state.shown, self.grid
        if state.view not in state.views:
            state.view = state.views[0]
        if grid.display != (state.view == MAP):
            grid.display = not grid.display
            self.call_after_refresh(self.update_info)  # what is in sight is known then
        self.query_one("#pictures").display = state.view == PICTURE
        self.text.display = state.view == TEXT
        if state.view == TEXT:
            self.text.show(state)
        grid.highlight, grid.rows, grid.columns = state.highlight, state.rows, state.columns
        grid.row, grid.column, grid.centred = state.row, state.column, state.projector
        scale = state.scale_for()
        grid.show(shown, state, scale, info.row_notes(state))
        ink = Ink(state.palette_seen, state.system, 1, shown.signed)
        self.minimap.show(scale.places(shown.values), ink)
        self._draw_headings()
        self.draw_picture()
        self.update_info()

    def place_cursor(self) -> None:
        """Draw what a move of the cursor changes."""
        if self.state.view == PICTURE:
            self.draw_picture()
        elif self.state.view == TEXT:
            self.text.place()
        else:
            self.grid.place(self.state.row, self.state.column)
            self._draw_locator()
        self.update_info()

    def update_info(self) -> None:
        """Draw the panel, and the minimap if the map is larger than the screen."""
        sections = info.describe(self.state)
        if self.screen.has_class("-wide"):
            text = info.as_column(sections)
        else:
            text = info.as_lines(sections[:2] + sections[2:][2 - _INFO_LINES :])
        self.panel.update(text, layout=False)
        rows, columns = self.state.shown.values.shape
        _, _, height, width = self.grid.sight
        seen = self.state.view == MAP and (height < rows or width < columns)
        if self.minimap.display != seen:
            self.minimap.display = seen
        self.minimap.frame(self.grid.sight)

    def draw_picture(self) -> None:
        """Draw the picture with what the asking token looks at."""
        state, image = self.state, self.state.trace.image
        if state.view == PICTURE and image is not None:
            self.picture.show(image, patches.weights(state), state, state.blend)
            self.picture.place(patches.under_cursor(state))
            self.plain.display = state.blend != PLAIN and self._has_room_for_two(image)
            self.plain.show(image, None, state)
        self._draw_locator()

    def _has_room_for_two(self, image: np.ndarray) -> bool:
        """Whether two pictures side by side are nearly as large as one."""
        height, width = image.shape[:2]
        room = self.query_one("#pictures").size
        one, two = (min(2 * room.height / height, room.width / count / width) for count in (1, 2))
        return two >= _NEARLY * one

    def _draw_locator(self) -> None:
        """Draw where the patch under the map's cursor is, where there is a picture and room."""
        state, image = self.state, self.state.trace.image
        shown = state.view == MAP and image is not None and self.screen.has_class("-wide")
        self.locator.display = shown
        if shown and image is not None:
            self.locator.show(image, patches.weights(state), state, state.blend)
            self.locator.place(patches.under_cursor(state))

    def _draw_headings(self) -> None:
        state, names = self.state, self.query_one(TraceNames)
        place, called = state.place_of(state.choice), " dlcc view  "
        if state.projector:
            names.write(Text(state.shown.title, "bold"))
        elif state.minus is not None:
            names.write(Text.assemble((called, "bold"), state.shown.title))
        elif len(state.traces) > 1:
            each = [trace_name(trace, number) for number, trace in enumerate(state.traces)]
            names.show(called + f"{place}  " * bool(place), each, state.choice.trace)
        else:
            name = f" {trace_name(state.trace, state.choice.trace)} "
            names.write(Text.assemble((called + name, "bold"), f" {place}" * bool(place)))
        palette = state.palette_seen if state.uses_palette or state.system is None else ""
        more = info.drawn_as(state, palette)
        parts = [part for part in (more, state.blend * (state.view == PICTURE)) if part]
        look = Text(" weight ").append_text(
            bar_of(
                state.scale_for(),
                state,
                self.app.size.width - len(" · ".join(parts)) - 12,
                blend=state.blend * (state.view == PICTURE),
            )
        )
        look.append("".join(f" · {part}" for part in parts))
        self.query_one("#look", Static).update(look, layout=False)
        epochs = self.query_one("#epochs", Static)
        epochs.display = len(state.frames) > 1
        epochs.update(self._slider(), layout=False)

    def _slider(self) -> Text:
        state, count = self.state, len(self.state.frames)
        width = max(2, min(count, self.app.size.width - 40))
        place = state.frame * (width - 1) // max(1, count - 1)
        bar = "".join("O" if n == place else "-" for n in range(width))
        label = display(state.frames[state.frame].label)
        return Text(f" {label} |{bar}| {state.frame + 1} of {count}")
