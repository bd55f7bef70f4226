"""All layers and heads at once, each a thumbnail; one is chosen with the arrow keys."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.geometry import Region, Size, clamp
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from dlcc.cli.draw.labels import display, fit
from dlcc.cli.draw.palette import Palette
from dlcc.cli.draw.pictures import FULL_COLOR, blended, enlarged, resized, screen_cells
from dlcc.cli.tui.export import Seen, seen_heads
from dlcc.cli.tui.keys import EXPORT, SCALE, Key, Keys, arrows, bindings, footer
from dlcc.cli.tui.messages import Compute
from dlcc.cli.tui.screens.panes import PaneScreen
from dlcc.cli.tui.state import PICTURE, Choice, ViewState
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.ink import Ink, bar_of, palette_of
from dlcc.core.trace import maps
from dlcc.core.trace.heads import measured, rank
from dlcc.core.trace.small import shrink

if TYPE_CHECKING:
    from dlcc.core.ablation import Effect

_LEAST, _MOST = Size(6, 3), Size(96, 48)  # of a thumbnail
_FLAT = 4  # columns a line of a thumbnail: twice as wide as high
ANSWER = "change of the answer"
_STRONG = Style(bold=True, reverse=True)


class Thumbnails(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows of layers, columns of heads."""

    DEFAULT_CSS = "Thumbnails { scrollbar-size: 1 1; height: 1fr; }"

    @dataclass
    class Touched(Message):
        """The mouse chose a thumbnail."""

        chosen: tuple[int, int]
        again: bool

    def __init__(self, state: ViewState, scale: str) -> None:
        super().__init__()
        self._state, self._scale = state, scale
        self._ink = Ink(state.palette_seen, state.system, 1)
        self._lines: dict[tuple[int, int], list[Strip]] = {}
        self._thumb = _LEAST  # of a thumbnail without its label
        head = state.choice.head
        self.chosen = state.choice.layer, head if isinstance(head, int) else 0
        """(layer, head)."""
        self.order = list(np.ndindex(state.trace.num_layers, state.trace.num_heads))
        """Of (layer, head), line by line."""
        self._values: np.ndarray | None = None
        self._tints: tuple[Palette, np.ndarray] | None = None

    @property
    def are_coloured(self) -> bool:
        """Whether the heads' names have the colours of their values."""
        return self._tints is not None

    def on_resize(self, _: events.Resize) -> None:
        """Let the thumbnails fill the screen, neither flatter nor higher than a map may be."""
        trace = self._state.trace
        width = self.size.width // trace.num_heads - 1
        lines = self.size.height // trace.num_layers - 1
        lines = clamp(lines, _LEAST.height, min(_MOST.height, max(_LEAST.height, width // 2)))
        flat = 2 if self._image is not None else _FLAT  # a picture keeps its proportions
        width = clamp(width, _LEAST.width, min(_MOST.width, max(_LEAST.width, flat * lines)))
        self._thumb = Size(width, lines)
        self._lines.clear()
        self.virtual_size = Size(trace.num_heads * (width + 1), trace.num_layers * (lines + 1))
        self.choose(*self.chosen)

    @property
    def _image(self) -> np.ndarray | None:
        """The picture that is lit, where that is what the map screen shows."""
        return self._state.trace.image if self._state.view == PICTURE else None

    def draw_by(self, scale: str) -> None:
        """Draw all maps anew, by another scale."""
        self._scale = scale
        self._lines.clear()
        self.refresh()

    def sort(self, values: np.ndarray | None, order: list[tuple[int, int]]) -> None:
        """Draw the heads in another order, line by line, each with its value of [L, H] if any."""
        self._values, self.order = values, order
        self._tints = None
        if values is not None and self._ink.colored:
            self._tints = tints(values, self._state.palette_seen)
        self._lines.clear()
        self.choose(*self.chosen)

    def beside(self, down: int, right: int) -> tuple[int, int]:
        """The head that is drawn so far from the chosen one."""
        trace = self._state.trace
        row, column = divmod(self.order.index(self.chosen), trace.num_heads)
        row = clamp(row + down, 0, trace.num_layers - 1)
        column = clamp(column + right, 0, trace.num_heads - 1)
        return self.order[row * trace.num_heads + column]

    def choose(self, layer: int, head: int) -> None:
        """Put the frame on a head and bring it into sight."""
        self.chosen = layer, head
        wide, high = self._thumb.width + 1, self._thumb.height + 1
        row, column = divmod(self.order.index(self.chosen), self._state.trace.num_heads)
        region = Region(column * wide, row * high, wide, high)
        self.scroll_to_region(region, animate=False, immediate=True, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        trace = self._state.trace
        wide, high = self._thumb.width + 1, self._thumb.height + 1
        row, line = divmod(y + round(self.scroll_y), high)
        if row >= trace.num_layers:
            return Strip.blank(self.size.width, self.rich_style)
        left = round(self.scroll_x)
        first = left // wide
        last = min(trace.num_heads, (left + self.size.width) // wide + 1)
        order = self.order[row * trace.num_heads :]
        heads = (self._thumbnail(*order[column]) for column in range(first, last))
        parts = (lines[line] if line < len(lines) else Strip([]) for lines in heads)
        strip = Strip.join([part.adjust_cell_length(wide) for part in parts])
        strip = strip.crop(left - first * wide)
        return strip.crop_extend(0, self.size.width, self.rich_style).apply_style(self.rich_style)

    def _thumbnail(self, layer: int, head: int) -> list[Strip]:
        """A label, and the lines of the map, drawn when it is first seen."""
        if (layer, head) not in self._lines:
            self._lines[layer, head] = list(map(Strip, self._drawn(layer, head)))
        here = (layer, head) == self.chosen
        place = f"{'>' if here else ''}{layer + 1}.{head + 1}"
        value = np.nan if self._values is None else float(self._values[layer, head])
        text = fit(_fitting(place, value, self._thumb.width), self._thumb.width)
        style = _STRONG if here else None
        if self._tints is not None:
            palette, places = self._tints
            style = palette.style(float(places[layer, head]), self._state.system)
            style += Style(bold=here, underline=here)
        return [Strip([Segment(text, style)]), *self._lines[layer, head]]

    def _drawn(self, layer: int, head: int) -> list[list[Segment]]:
        """The lines of a map, or of the picture that it lights; in colours two rows share one."""
        state, (width, lines), ink = self._state, self._thumb, self._ink
        choice = Choice(state.choice.trace, layer, head)
        shown, scale = state.map_of(choice), state.scale_for(choice, self._scale)
        values = scale.places(shown.values)
        if self._image is not None:
            values = patches.weights_of(shown, state.trace, values[state.row])
            if ink.colored and state.system in FULL_COLOR:
                rows = 2 * lines
                palette = palette_of(state.palette_seen, False)
                image = resized(self._image, rows, width)
                pixels = blended(image, values, state.blend, palette, state.system or "")
                return [screen_cells(pixels[y : y + 2]) for y in range(0, rows, 2)]
        rows = 2 * lines if ink.colored else lines
        levels = ink.levels(enlarged(shrink(values, rows, width), (rows, width)))
        if not ink.colored:
            return [ink.run(row) for row in levels]
        return [ink.pairs(*levels[y : y + 2]) for y in range(0, rows, 2)]

    def on_click(self, event: events.Click) -> None:
        trace = self._state.trace
        row = (event.y + round(self.scroll_y)) // (self._thumb.height + 1)
        column = (event.x + round(self.scroll_x)) // (self._thumb.width + 1)
        if row < trace.num_layers and column < trace.num_heads:
            place = self.order[row * trace.num_heads + column]
            self.post_message(self.Touched(place, event.chain > 1))


class OverviewScreen(PaneScreen):
    """The thumbnails; the answer is the head that was opened."""

    KEYS: ClassVar[Keys] = {
        "All heads": (
            *arrows(
                "Head to the left", "Head to the right", "Layer above", "Layer below", "choose"
            ),
            Key("m", "m", "measure", "Sort by entropy, diagonal, ..., the cursor's pair", "sort"),
            Key("x", "x", "ablate", "Sort by what each head does to the answer", "answer"),
            SCALE,
            EXPORT,
            Key("enter", "Enter", "take", "Open this head", footer="open"),
            Key("escape,o", "Esc o", "dismiss", "Back to the map", footer="back"),
        )
    }
    BINDINGS = bindings(KEYS)

    def compose(self) -> ComposeResult:
        yield Static(id="chosen", markup=False)
        self._thumbnails = Thumbnails(self.state, self.scale)
        self._values: dict[str, np.ndarray] = {}
        self._measure = ""  # by which the heads are sorted
        yield self._thumbnails
        yield Static(id="bar", classes="line")
        yield footer()

    def action_move(self, down: int, right: int) -> None:
        self._thumbnails.choose(*self._thumbnails.beside(down, right))
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "measure":
            return self.state.trace.kind != "combined"
        return action != "ablate" or self.state.ablated is not None

    def action_measure(self) -> None:
        """Sort by the next measure, at last by layers again."""
        state = self.state
        if "entropy" not in self._values:
            pair = [state.shown.queries[state.row]], [state.shown.keys[state.column]]
            self._values |= measured(state.trace, pair)
        names = [name for name, each in self._values.items() if not np.isnan(each).all()]
        ways = ["", *names]
        self._sort(ways[(ways.index(self._measure) + 1) % len(ways)])

    def action_ablate(self) -> None:
        """Sort by what becomes of the answer without each head."""
        ablated, trace = self.state.ablated, self.state.trace
        assert ablated is not None  # else there is no such key

        def show(effects: "list[Effect]") -> None:
            values = np.zeros(trace.weights.shape[:2])
            for each in effects:
                values[each.layer, each.head] = each.change
            self._values[ANSWER] = values
            self._sort(ANSWER)

        self.post_message(Compute("Switching each head off", partial(ablated, trace), show))

    def _sort(self, measure: str) -> None:
        self._measure = measure
        order = list(np.ndindex(*self.state.trace.weights.shape[:2]))
        values = self._values.get(measure)
        if values is not None:
            order.sort(key=lambda place: rank(measure, float(values[place])))
        self._thumbnails.sort(values, order)
        self.draw()

    def action_take(self) -> None:
        self.dismiss(Choice(self.state.choice.trace, *self._thumbnails.chosen))

    def on_thumbnails_touched(self, event: Thumbnails.Touched) -> None:
        self._thumbnails.choose(*event.chosen)
        self.draw()
        if event.again:
            self.action_take()

    def seen(self) -> Seen:
        order, values = self._thumbnails.order, self._values.get(self._measure)
        if values is None:
            return seen_heads(self.state, self.scale, order)
        from dlcc.cli.draw.figure.maps import Captions

        palette, places = tints(values, self.state.palette)
        shape = -1, self.state.trace.num_heads
        texts = [f"{at[0] + 1}.{at[1] + 1} {values[at]:z.3f}" for at in order]
        shades = [places[at] for at in order]
        captions = Captions(np.reshape(texts, shape), np.reshape(shades, shape), palette)
        said = f"{self._measure}, {_legend(values)}"
        return seen_heads(self.state, self.scale, order, said, captions)

    def action_scale(self) -> None:
        super().action_scale()
        self._thumbnails.draw_by(self.scale)

    def draw(self) -> None:
        """What the chosen head does, in a line: how sharp it is, and where it looks most."""
        state, (layer, head) = self.state, self._thumbnails.chosen
        choice = Choice(state.choice.trace, layer, head)
        shown = state.map_of(choice)
        blend = state.blend if state.view == PICTURE else ""
        scale = state.scale_for(choice, self.scale)
        values = self._values.get(self._measure)
        legend = ""
        if values is not None and self._thumbnails.are_coloured:
            legend = f"  names: {_legend(values)}"
        room = self.app.size.width - 9
        bar = bar_of(scale, state, room, blend=blend)
        if len(bar) + len(legend) > room:
            bar = bar_of(scale, state, room - len(legend), named=False, blend=blend)
        bar.append(legend)
        self.query_one("#bar", Static).update(Text(" weight ").append_text(bar), layout=False)
        entropy = sum(map(maps.row_entropy, shown.values)) / len(shown.values)
        row, column = divmod(int(shown.values.argmax()), shown.values.shape[1])
        name = display(state.trace.layer_names[layer])
        said = f"mean entropy {entropy:.2f} bits"
        if self._measure:
            value = self._values[self._measure][layer, head]
            cell = patches.names(state.trace, state.shown, state.row, state.column)
            pair = f" {cell}" * (self._measure == "pair")
            said = f"{self._measure}{pair} {value:{'+' if self._measure == ANSWER else ''}.3f}"
        self.query_one("#chosen", Static).update(
            f" {name}, head {head + 1}: {said}, strongest "
            f"{patches.names(state.trace, shown, row, column)} {shown.values.max():.3f}"
        )


def tints(values: np.ndarray, palette_name: str) -> tuple[Palette, np.ndarray]:
    """The palette for values of heads, and their places in it: the largest at its end."""
    palette = palette_of(palette_name, bool(np.nanmin(values) < 0))
    return palette, np.nan_to_num(values) / max(float(np.nanmax(np.abs(values))), 1e-9)


def _legend(values: np.ndarray) -> str:
    """What the colours of `tints` mean."""
    most = float(np.nanmax(np.abs(values)))
    if np.nanmin(values) < 0:
        return f"orange +{most:.3f}, blue -{most:.3f}"
    return f"colours to {most:.3f}"


def _fitting(place: str, value: float, width: int) -> str:
    """A head's name with its value, if any, in as many digits as there is room for."""
    if not np.isnan(value):
        for digits in (3, 2, 1):
            number = f"{value:z.{digits}f}"
            whole = f"{place} {number.replace('0.', '.', 1) if abs(value) < 1 else number}"
            if len(whole) <= width:
                return whole
    return place
