"""What is seen as a file or as printed lines: hidden, merged and subtracted as on the screen."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlcc.cli.console import stdout
from dlcc.cli.draw.bar import signs
from dlcc.cli.draw.export import FORMATS, check_ending, export
from dlcc.cli.draw.grid import GridStyle, attention_grid
from dlcc.cli.draw.labels import display
from dlcc.cli.draw.palette import color_system
from dlcc.cli.draw.pictures import PLAIN, palette_under
from dlcc.cli.tui import info
from dlcc.cli.tui.opening import reproducing
from dlcc.cli.tui.state import GLYPHS, PICTURE, TEXT, Choice, ShownMap, ViewState, trace_name
from dlcc.cli.tui.widgets import patches
from dlcc.cli.tui.widgets.ink import palette_of
from dlcc.core.trace.maps import join_pieces
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

if TYPE_CHECKING:
    from dlcc.cli.draw.figure.maps import Captions, MapPanel
    from dlcc.cli.draw.figure.panels import Panel


@dataclass(frozen=True)
class Seen:
    """What a screen shows, for a file."""

    panels: "Sequence[Panel]"
    """As a figure."""
    traces: Sequence[AttentionTrace] = ()
    """As numbers."""
    palette: str = "viridis"
    formats: Sequence[str] = FORMATS
    page: "Callable[[], tuple[AttentionTrace, tuple[int, int]] | None]" = lambda: None
    """The trace for a page, where layers and heads can be switched, and those that it opens on."""

    def write(self, path: Path, theme: str, title: str = "") -> str:
        """Write it in the format that the ending names, a figure with a title above it.

        Returns:
            What there is to say of it; mostly nothing.

        Raises:
            UsageError: an ending of no known format.
            DataError: the file cannot be written.
        """
        check_ending(path, formats=self.formats)
        palette, traces, first = palette_of(self.palette, False), [*self.traces], None
        if path.suffix.lower() == ".html" and (whole := self.page()) is not None:
            traces, first = [whole[0]], whole[1]
        return export(
            *(path, traces, palette),
            theme=theme,
            title=title,
            panels=lambda: self.panels,
            first=first,
        )


def seen_in(state: ViewState, numbers: bool = False) -> Seen:
    """The map, the text or the picture under the cursor.

    Args:
        state: what is shown.
        numbers: whether the map's cells show their weights.
    """
    drawn = text_panel(state) if state.view == TEXT else panel(state, numbers=numbers)
    page = partial(_whole, state)
    return Seen([drawn], [shown_trace(state)], state.palette, page=page)


def _whole(state: ViewState) -> tuple[AttentionTrace, tuple[int, int]] | None:
    """The trace as it is shown, words and special tokens treated as asked, with the layer and head
    under the cursor; None for a difference, what is rolled out, and more than a page holds."""
    from dlcc.cli.draw.figure.page import MOST

    (number, layer, head), trace, shown = astuple(state.choice), state.trace, state.shown
    layers, heads = trace.num_layers, trace.num_heads
    head = heads if head == "mean" and heads > 1 else head
    if state.minus is not None or not isinstance(head, int):
        return None
    if layers * heads * shown.values.size > MOST:
        return None
    weights = [
        [state.map_of(Choice(number, row, column)).values for column in range(heads)]
        for row in range(layers)
    ]
    whole = AttentionTrace(
        np.array(weights),
        shown.row_labels,
        shown.column_labels,
        kind=trace.kind,
        title=trace_name(trace, number),
        layer_names=trace.layer_names,
        made_by=trace.made_by,
    )
    return whole, (layer, head)


def panel(
    state: ViewState,
    choice: Choice | None = None,
    scale: Scale | None = None,
    numbers: bool = False,
) -> "Panel":
    """A map, or a picture where one is shown, for a figure: that on the screen, or a chosen one."""
    if state.view == PICTURE:
        return picture_panel(state, choice, scale)
    return map_panel(state, choice, scale, numbers)


def shown_trace(state: ViewState, choice: Choice | None = None) -> AttentionTrace:
    """A map as a trace of one layer and one head: the one on the screen, or a chosen one."""
    shown = state.shown if choice is None else state.map_of(choice)
    number, layer, head = astuple(choice or state.choice)
    trace = state.traces[number]
    one_head = isinstance(head, int) and (choice is not None or state.minus is None)
    scores = trace.scores if one_head and not (state.words or state.hide_special) else None
    return AttentionTrace(
        shown.values[None, None],
        shown.row_labels,
        shown.column_labels,
        kind=trace.kind if one_head else "combined",
        title=shown.title,
        scores=None if scores is None else scores[layer, head][None, None],
        made_by={**trace.made_by, "command": reproducing(state)},
    )


def map_panel(
    state: ViewState,
    choice: Choice | None = None,
    scale: Scale | None = None,
    numbers: bool = False,
) -> "MapPanel":
    """A map for a figure: the one on the screen, or a chosen one on its scale."""
    shown = state.shown if choice is None else state.map_of(choice)
    masked = shown_trace(state, choice).scores
    hidden = None if masked is None else np.isneginf(masked[0, 0])
    return panel_of(shown, scale or state.scale_for(choice), state, numbers, hidden)


def panel_of(
    shown: ShownMap,
    scale: Scale,
    state: ViewState,
    numbers: bool = False,
    masked: np.ndarray | None = None,
) -> "MapPanel":
    """A map, in the colours of a state, for a figure."""
    from dlcc.cli.draw.figure.maps import MapPanel

    palette = palette_of(state.palette, scale.signed)
    label = f"weight, {scale.meaning}"
    labels = shown.row_labels, shown.column_labels
    return MapPanel(shown.values, *labels, scale, shown.title, numbers, masked, palette, label)


def picture_panel(
    state: ViewState, choice: Choice | None = None, scale: Scale | None = None
) -> "Panel":
    """The plain picture, beside it the attention of the token that asks, as on the screen; of a
    chosen map the latter alone."""
    from dlcc.cli.draw.figure.panels import bar_of
    from dlcc.cli.draw.figure.pictures import Picture, PicturePanel

    shown = state.shown if choice is None else state.map_of(choice)
    trace = state.traces[(choice or state.choice).trace]
    scale = scale or state.scale_for(choice)
    row = min(state.row, len(shown.row_labels) - 1)
    weights = patches.weights_of(shown, trace, scale.places(shown.values)[row])
    assert trace.image is not None
    palette = palette_of(state.palette, scale.signed)
    asks = f"{patches.asking(trace, shown, row)} asks"
    pictures = [Picture(trace.image, "picture"), Picture(trace.image, asks, weights, state.blend)]
    shade = palette_under(state.blend, palette, scale.signed)
    bar = bar_of(scale, shade, f"weight, {scale.meaning}")
    if choice is not None:  # beside others, where the plain one would stand again and again
        pictures = pictures[1:]
    if state.blend == PLAIN:
        return PicturePanel(pictures[:1], shown.title)
    return PicturePanel(pictures, shown.title, bar=bar, palette=palette)


def seen_heads(
    state: ViewState,
    scale_name: str,
    order: list[tuple[int, int]],
    sorted_by: str = "",
    captions: "Captions | None" = None,
) -> Seen:
    """All layers and heads of the trace small, of a picture as pictures, in the order of a measure
    if they are sorted by one."""
    from dlcc.cli.draw.figure.maps import HeadsPanel

    trace, number = state.trace, state.choice.trace
    scale = state.scale_for(Choice(number, 0, 0), scale_name)
    palette = palette_of(state.palette, scale.signed)

    def shades(layer: int, head: int) -> np.ndarray:
        choice = Choice(number, layer, head)
        shown = state.map_of(choice)
        places = state.scale_for(choice, scale_name).places(shown.values)
        if trace.image is None:
            return places
        return patches.weights_of(shown, trace, places[min(state.row, len(places) - 1)])

    count = trace.num_heads
    rows = [order[start : start + count] for start in range(0, len(order), count)]
    title = trace_name(trace, number)
    heads_panel = HeadsPanel(
        [[shades(*place) for place in row] for row in rows],
        ("",) * len(rows) if sorted_by else trace.layer_names,
        tuple("" if sorted_by else f"head {head + 1}" for head in range(count)),
        scale,
        f"{title}, by {sorted_by}" if sorted_by else title,
        palette,
        f"weight, {scale.meaning}",
        trace.image,
        state.blend,
        captions,
    )
    return Seen([heads_panel], [trace], state.palette)


def text_panel(state: ViewState) -> "Panel":
    """The key as a running text in the colours of what the asking token puts on it; above it the
    query, unless it is the same text; below it what explains the answer."""
    from dlcc.cli.draw.figure.texts import Passage, TextPanel, running

    shown, scale, trace = state.shown, state.scale_for(), state.trace
    row, queries, keys = state.row, shown.row_labels, shown.column_labels
    alone, special = queries == keys, {*map(display, trace.special)}
    key_words = [trace.key_words[group[0]] for group in shown.keys] if trace.key_words else []
    words = running(keys, shown.values[row], row if alone else None, key_words, special)
    passages = [Passage(words, f"{join_pieces([queries[row]])} looks at")]
    if not alone:
        asked = trace.query_words
        numbers = [asked[group[0]] for group in shown.queries] if asked else []
        asking = running(queries, [0.0] * len(queries), row, numbers, special)
        passages.insert(0, Passage(asking))
    for name, summed, own in info.explained(state):
        said = name + f" ({signs('truecolor')})" * own.signed
        explained = running(keys, summed.tolist(), None, key_words, special)
        passages.append(Passage(explained, said, own, palette_of(state.palette, own.signed)))
    palette = palette_of(state.palette, scale.signed)
    label = f"weight, {scale.meaning}"
    if scale.name == "row":  # of all rows; this one alone is seen
        scale, label = scale_of("own", shown.values[row]), "weight"
    return TextPanel(passages, shown.title, scale, label, palette, has_rays=not alone)


def print_state(state: ViewState) -> None:
    """The view as a plain grid on stdout, for a pipe or a terminal without a cursor."""
    console = stdout()
    system = None if state.palette == GLYPHS else color_system(console)
    palette = palette_of(state.palette, state.shown.signed)
    style = GridStyle(palette, system, width=console.width, scale=state.scale_for())
    console.print(attention_grid(shown_trace(state), style=style))
