"""An attention map as lines of text: a grid of colours, glyphs or numbers, at any width.

All columns are of one width. The keys' words lie above them, on two lines where they are wider, or
slanted; where even that would take many blocks of columns, cells are one column wide and the keys
are numbered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from rich.cells import cell_len
from rich.console import Group
from rich.style import Style
from rich.text import Text

from dlcc.cli.console import stdout
from dlcc.cli.draw.bar import colour_bar
from dlcc.cli.draw.labels import Piece, fit, head_lines, number, side_by_side
from dlcc.cli.draw.palette import PALETTES, Palette, color_system
from dlcc.core.trace.scales import Scale, scale_of
from dlcc.core.trace.trace import AttentionTrace

_LABEL_WIDTH = 16  # of a row's word, at most
_LABEL_HEIGHT = 12  # lines of slanted words, at most
_SLANTED_BLOCKS = 2  # of slanted words; with more blocks keys are numbered instead
_LEAST_BAR = 28  # columns of the colour bar
_EVEN = 1e-6
_DIM = Style(dim=True)


@dataclass(frozen=True)
class GridStyle:
    """How a grid is drawn."""

    palette: Palette = PALETTES["viridis"]
    color_system: str | None = None
    """Rich's name of the terminal's colours (`palette.color_system`); None draws glyphs."""
    numbers: bool = False
    """Whether each cell shows its weight."""
    width: int = 80
    """Columns that the grid may take."""
    scale: Scale | None = None
    """How weights are coloured; by the map's own largest when None."""


def attention_grid(
    trace: AttentionTrace, layer: int = 0, head: int = 0, style: GridStyle | None = None
) -> Group:
    """One map of a trace: queries are rows, keys columns; each row says what it looks at most."""
    return Group(*grid_lines(trace, layer, head, style or GridStyle()))


def print_grids(
    traces: list[AttentionTrace],
    palette: Palette = PALETTES["viridis"],
    numbers: bool = False,
    layer: int = 0,
    heads: Iterable[int] | None = None,
) -> None:
    """Print the heads, all when None, of one layer of each trace, side by side where they fit."""
    console = stdout()
    maps = [
        (trace, head)
        for trace in traces
        for head in (range(trace.num_heads) if heads is None else heads)
    ]
    name = "shared" if len(maps) > 1 else "own"
    scale = scale_of(name, np.concatenate([t.weights[layer, head].ravel() for t, head in maps]))
    style = GridStyle(palette, color_system(console), numbers, console.width, scale)
    grids = [grid_lines(trace, layer, head, style) for trace, head in maps]
    console.print(Group(*side_by_side(grids, console.width, gap=3)))


def grid_lines(trace: AttentionTrace, layer: int, head: int, style: GridStyle) -> list[Text]:
    """The lines of `attention_grid`."""
    weights = trace.map(layer, head)
    masked = np.zeros(weights.shape, bool)
    if trace.scores is not None:
        masked = np.isneginf(trace.scores[layer, head])
    scale = style.scale or scale_of("own", weights, signed=style.palette.signed)
    places = scale.places(weights)
    looks = row_looks(trace, layer, head)
    rows = list(trace.query)
    layout = _layout(trace, style, max(cell_len(look) for look in looks))
    if layout.numbered:
        rows = [f"{number} {word}" for number, word in enumerate(rows, 1)]
    label_width = min(max(map(cell_len, rows)), max(_LABEL_WIDTH, len(str(len(rows))) + 8))
    lines = []
    for start, stop in layout.blocks:
        if len(layout.blocks) > 1:
            keys = f"keys {start + 1} to {stop} of {len(trace.key)}"
            lines += [Text(), Text(keys, _DIM)]
        lines += _header(trace, layout, start, stop, label_width)
        for row, word in enumerate(rows):
            line = _line(fit(word, label_width, "right") + " ")
            _append_cells(line, weights[row], places[row], masked[row], layout, start, stop, style)
            if layout.looks_beside:
                line.append(f" → {looks[row]}")
            lines.append(line)
    if not layout.looks_beside:
        lines += [Text(), Text("each row looks most at", _DIM)]
        lines += [
            _line(f"{fit(word, label_width, 'right')} → {look}")
            for word, look in zip(rows, looks, strict=True)
        ]
    width = max(_LEAST_BAR, *(line.cell_len for line in lines)) - len("weight ")
    bar = colour_bar(scale, style.palette, style.color_system, width)
    title = _title(trace, layer, head, style.width)
    return [title, _line("weight ", _DIM).append_text(bar), *lines]


def row_looks(trace: AttentionTrace, layer: int = 0, head: int = 0) -> list[str]:
    """For each query the key with its largest weight, or difference, and that."""
    return [_look(trace, row) for row in trace.map(layer, head)]


@dataclass(frozen=True)
class _Layout:
    width: int  # cells of each key's column
    blocks: list[tuple[int, int]]  # keys from, up to
    numbered: bool = False
    looks_beside: bool = True


def _layout(trace: AttentionTrace, style: GridStyle, look_width: int) -> _Layout:
    label = min(max(map(cell_len, trace.query)), _LABEL_WIDTH) + 1
    least = (5 if style.palette.signed else 4) if style.numbers else 2
    beside = style.width - label - look_width - 3
    below = style.width - label - len(str(len(trace.query))) - 2
    count = len(trace.key)
    longest = max(map(cell_len, trace.key))
    slanted = None
    for room, looks_beside in ((beside, True), (below, False)):
        width = _widest(trace.key, max(longest + 1, least), least, room)
        if longest < 2 * width:  # words lie flat
            return _Layout(width, [(0, count)], looks_beside=looks_beside)
        if width and slanted is None:
            slanted = _Layout(width, [(0, count)], looks_beside=looks_beside)
    if slanted is not None:
        return slanted
    numbered = not style.numbers and least * count > _SLANTED_BLOCKS * below
    cell = 1 if numbered else least
    size = max((below - (0 if numbered else longest)) // cell, 1)
    if size > 10:
        size -= size % 10 if numbered else 0
    blocks = [(start, min(start + size, count)) for start in range(0, count, size)]
    return _Layout(cell, blocks, numbered, looks_beside=False)


def _widest(words: tuple[str, ...], most: int, least: int, room: int) -> int:
    """The widest columns that fit, with their labels, into `room` cells; 0 where none do."""
    for width in range(min(most, room // len(words)), least - 1, -1):
        heads = head_lines(words, width, _LABEL_HEIGHT)
        if max(piece.x + cell_len(piece.text) for line in heads for piece in line) <= room:
            return width
    return 0


def _header(
    trace: AttentionTrace, layout: _Layout, start: int, stop: int, label_width: int
) -> list[Text]:
    """The keys' words above their columns; of numbered keys every tenth number."""
    margin = " " * (label_width + 1)
    if layout.numbered:
        ruler = ""
        for number in range(start + 10 - start % 10, stop + 1, 10):
            ruler += str(number).rjust(number - start - len(ruler))
        return [_line(margin + ruler)]
    heads = head_lines(trace.key[start:stop], layout.width, _LABEL_HEIGHT)
    return [_line(_joined(pieces, -len(margin))) for pieces in heads]


def _joined(pieces: list[Piece], left: int) -> str:
    """Pieces on one line that begins `left` of the first column."""
    line = ""
    for piece in pieces:
        line += " " * (piece.x - left - cell_len(line)) + piece.text
    return line


def _append_cells(
    line: Text,
    weights: np.ndarray,
    places: np.ndarray,
    masked: np.ndarray,
    layout: _Layout,
    start: int,
    stop: int,
    style: GridStyle,
) -> None:
    cells: list[tuple[str, Style]] = []
    for key in range(start, stop):
        width, weight = layout.width, float(weights[key])
        part, colour = float(places[key]), style.color_system is not None
        if masked[key]:
            cells.append(("·" + " " * (width - 1), _DIM))
        elif style.numbers:
            digits = number(weight, 3 + (weight < 0)).rjust(3 + style.palette.signed)
            cells.append((digits.ljust(width), style.palette.style(part, style.color_system)))
        elif colour:
            cells.append((" " * width, style.palette.style(part, style.color_system)))
        else:
            gap = width > 2
            cells.append((style.palette.glyph(part, width - gap) + " " * gap, Style.null()))
    for look, run in groupby(cells, key=lambda cell: cell[1]):
        line.append("".join(text for text, _ in run), look)


def _look(trace: AttentionTrace, row: np.ndarray) -> str:
    best = int(np.abs(row).argmax())
    if row[best] == 0:
        return "nothing"
    allowed = row[row != 0]
    if len(allowed) > 1 and allowed.max() - allowed.min() < _EVEN:
        return f"{len(allowed)} alike, {row[best]:.2f}"
    position = f"{best + 1} " if list(trace.key).count(trace.key[best]) > 1 else ""
    return f"{position}{fit(trace.key[best], min(cell_len(trace.key[best]), 20))} {row[best]:.2f}"


def map_name(trace: AttentionTrace, layer: int, head: int) -> str:
    """What a map is called: its trace, and layer and head where there are several."""
    names = [trace.title or trace.kind]
    if trace.num_layers > 1 or trace.layer_names[layer] not in (trace.title, "layer 1"):
        names.append(trace.layer_names[layer])
    if trace.num_heads > 1:
        names.append(f"head {head + 1} of {trace.num_heads}")
    return ", ".join(names)


def _title(trace: AttentionTrace, layer: int, head: int, width: int) -> Text:
    return _line(fit(map_name(trace, layer, head), width).rstrip(), Style(bold=True))


def _line(text: str = "", style: Style | str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="crop", end="\n")
