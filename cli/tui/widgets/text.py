"""A map as running text: each word filled by what the word that asks puts on it.

Words are laid out once a map; a line of the screen is drawn when Textual asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dlcc.cli.draw.bar import signs
from dlcc.cli.draw.labels import display, fit, spaced
from dlcc.cli.tui import info
from dlcc.cli.tui.state import ViewState
from dlcc.cli.tui.widgets.ink import Ink
from dlcc.cli.tui.widgets.rays import LEAST, MOST, rays, segments
from dlcc.core.trace.scales import scale_of

_DIM = Style(dim=True)
_ASKS = Style(bold=True, underline=True)
_ASKED = Style(underline=True)
_WIDEST = {True: 2, False: 5}  # cells between words of a short text that asks itself, or another


@dataclass(frozen=True)
class Block:
    """A text with a heading."""

    heading: str
    words: tuple[tuple[str, bool], ...]
    """What is written, and whether a space is before it."""
    dim: frozenset[int] = frozenset()
    """Places of special tokens."""


@dataclass(frozen=True)
class Line:
    """One line of a block; of the heading when there are no words."""

    block: int
    words: tuple[tuple[int, int, str], ...] = ()
    """Place, first cell and text of each word."""
    ray: int = -1
    """Which line of those between two texts it is."""


class TextView(ScrollView, can_focus=True, inherit_bindings=False):
    """One or two texts and the explanations of an answer. Keys are the screen's."""

    DEFAULT_CSS = """
    TextView { scrollbar-size: 1 1; }
    """

    @dataclass
    class Touched(Message):
        """The mouse chose a word."""

        place: int
        asks: bool
        """Whether it is a word of the text that asks."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: list[Block] = []
        self._lines: list[Line] = []
        self._inks: list[Ink] = []
        self._steps: list[list[int]] = []
        """The step of each word's colour, by block; empty in a text that only asks."""
        self._styles: list[list[Style]] = []
        self._base = Style()
        self._state: ViewState | None = None
        self._scale = scale_of("own", np.zeros((1, 1)))
        self.one_text = True
        """Whether the text asks itself."""
        self._rays: tuple[np.ndarray, np.ndarray] | None = None
        """The lines between two texts, where there is room for them."""
        self._gap, self._left, self._top = 1, 0, 0
        """Cells between words, and free ones before and above short texts."""

    # What is shown

    def show(self, state: ViewState) -> None:
        """Draw the map of a state anew."""
        trace, shown = state.trace, state.shown
        self._state, self._scale = state, state.scale_for()
        special = frozenset(map(display, trace.special))
        self.one_text = trace.query == trace.key
        texts = [("", shown.column_labels, trace.key_words, shown.keys)]
        if not self.one_text:
            asking = ("asks", shown.row_labels, trace.query_words, shown.queries)
            texts = [asking, ("is asked", *texts[0][1:])]
        self._blocks = []
        for heading, labels, words, groups in texts:
            numbers = [words[group[0]] for group in groups] if words else ()
            dim = frozenset(n for n, label in enumerate(labels) if label in special)
            self._blocks.append(Block(heading, spaced(labels, numbers, special), dim))
        ink = Ink(state.palette_seen, state.system, 1, shown.signed)
        self._inks = [ink] * len(self._blocks)
        self._steps = [[] for _ in self._blocks]
        of_text = self._blocks[-1]
        for name, summed, scale in info.explained(state):
            own = Ink(state.palette_seen, state.system, 1, scale.signed)
            if own.signed:
                name += f" ({signs(state.system if own.colored else None)})"
            self._blocks.append(Block(name, of_text.words, of_text.dim))
            self._inks.append(own)
            self._steps.append(own.levels(scale.places(summed)).tolist())
        self._lay_out()

    def place(self) -> None:
        """Fill the words by what the state's row puts on them, and bring that row into sight."""
        state = self._state
        if state is None:
            return
        values = state.shown.values[state.row : state.row + 1]
        asked = 0 if self.one_text else 1
        places = self._scale.places(values)
        self._steps[asked] = self._inks[asked].levels(places)[0].tolist()
        self._draw_rays(np.abs(places[0]))
        self._mix()
        y = self._line_of(state.row)
        top, height = round(self.scroll_y), max(1, self.size.height)
        first = 0 if y <= 1 else y
        if not top <= first < top + height:
            self.scroll_to(y=first if first < top else y - height + 1, animate=False, force=True)
        self.refresh()

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.container_size.width - 1  # the scroll bar's place
        if self._state is None or width < 2:
            return
        self._lines = []
        self._gap, self._left = self._spread(width)
        for number, block in enumerate(self._blocks):
            if number:
                self._lines.append(Line(-1))
            if block.heading:
                self._lines.append(Line(number))
            line: list[tuple[int, int, str]] = []
            x = self._left
            for first, end in _unbroken(block.words):
                length = sum(self._room(text) for text, _ in block.words[first:end]) + 1
                if line and x + length >= width:
                    self._lines.append(Line(number, tuple(line)))
                    line, x = [], 0
                x += self._gap if line else 1  # spaces, or the mark of the word that asks
                for place in range(first, end):
                    text = block.words[place][0]
                    room = self._room(text)
                    line.append((place, x, fit(text, room - (not self._inks[0].colored))))
                    x += room
            self._lines.append(Line(number, tuple(line)))
        self._make_room_for_rays()
        free = self.container_size.height - len(self._lines)
        self._top = max(0, free // 2) if self._left else 0
        self.virtual_size = Size(width, self._top + len(self._lines))
        self.place()

    def _spread(self, width: int) -> tuple[int, int]:
        """The cells between words and those before the first, so that texts of one line each stand
        in the middle, wide apart; 1 and 0 where one of them takes more lines."""
        gaps = max(len(_unbroken(block.words)) for block in self._blocks)
        lengths = [
            sum(self._room(text) for text, _ in block.words) + len(_unbroken(block.words)) + 1
            for block in self._blocks
        ]
        headings = [cell_len(block.heading) + 2 for block in self._blocks]
        free = width - max(*lengths, *headings)
        if free < 2:
            return 1, 0
        gap = min(_WIDEST[self.one_text], 1 + free // (gaps + 1))
        return gap, (free - (gap - 1) * (gaps - 1)) // 2

    def _make_room_for_rays(self) -> None:
        """Part two texts of a line each, where the screen has room, by lines from one to the other;
        the heading of the second then stands below it."""
        free = self.container_size.height - len(self._lines) + 1
        if self.one_text or [line.block for line in self._lines[:5]] != [0, 0, -1, 1, 1]:
            return
        if (len(self._lines) > 5 and self._lines[5].block == 1) or free < LEAST:
            return
        heading, words = self._lines[3:5]
        between = [Line(-1, ray=number) for number in range(min(MOST, free))]
        self._lines[2:5] = [*between, words, heading]

    def _draw_rays(self, places: np.ndarray) -> None:
        """Lines from the word that asks to all others, as strong as `places`."""
        count = sum(line.ray >= 0 for line in self._lines)
        self._rays = None
        if count and self._state is not None:
            asking, asked = self._lines[1].words, self._lines[2 + count].words
            start = _middle(asking[self._state.row])
            ends = [_middle(word) for word in asked]
            self._rays = rays(start, ends, places.tolist(), (count, self.size.width))

    def step(self, place: int, lines: int) -> int:
        """The word of the first text so many lines below (above, where negative) a word."""
        text = [line.words for line in self._lines if line.block == 0 and line.words]
        line = next((n for n, words in enumerate(text) if words[-1][0] >= place), 0)
        middle = next((_middle(word) for word in text[line] if word[0] == place), 0.0)
        there = text[min(max(line + lines, 0), len(text) - 1)]
        return min(there, key=lambda word: abs(_middle(word) - middle))[0]

    def _room(self, text: str) -> int:
        """Cells of a word; without colours a shade is behind it."""
        width = max(1, self.container_size.width - 4)
        return min(cell_len(text), width) + (not self._inks[0].colored)

    def _line_of(self, place: int) -> int:
        """The line of a word of the first text."""
        found = (
            y
            for y, line in enumerate(self._lines)
            if line.block == 0 and line.words and line.words[-1][0] >= place
        )
        return next(found, 0)

    def _line_at(self, y: int) -> Line:
        """What stands on a line of the screen."""
        y += round(self.scroll_y) - self._top
        return self._lines[y] if 0 <= y < len(self._lines) else Line(-1)

    # Drawing

    def _mix(self) -> None:
        """Colours on the widget's own; made once a paint, which Textual takes long to tell."""
        self._base = self.rich_style
        self._styles = [[self._base + style for style in ink.styles] for ink in self._inks]

    def render_lines(self, crop: Region) -> list[Strip]:
        self._mix()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        base, width, line = self._base, self.size.width, self._line_at(y)
        if line.ray >= 0 and self._rays is not None:
            drawn, strengths = (each[line.ray] for each in self._rays)
            return Strip(segments(drawn, strengths, base)).crop_extend(0, width, base)
        if line.block < 0:
            return Strip.blank(width, base)
        if not line.words:
            text = " " * (self._left + 1) + self._blocks[line.block].heading
            heading = Segment(text, base + _DIM)
            return Strip([heading]).crop_extend(0, width, base)
        return Strip(self._cells(line)).crop_extend(0, width, base)

    def _cells(self, line: Line) -> list[Segment]:
        assert self._state is not None
        block, ink = self._blocks[line.block], self._inks[line.block]
        asks = self._state.row if line.block == 0 else -1
        asked = self._state.column if line.block == (not self.one_text) else -1
        base, styles, steps = self._base, self._styles[line.block], self._steps[line.block]
        cells, x, closing = [], 0, " "
        for place, start, text in line.words:
            if start > x:
                between = closing.ljust(start - x)
                between = between[:-1] + "[" if place == asks else between
                cells.append(Segment(between, base))
            closing = "]" if place == asks else " "
            level = steps[place] if steps else None
            style = base if level is None else styles[level]
            if place in block.dim:
                style += _DIM
            if place == asks:
                style += _ASKS
            elif place == asked:
                style += _ASKED
            if not ink.colored:
                text += " " if level is None else ink.glyphs[level]
            cells.append(Segment(text, style))
            x = start + cell_len(text)
        return [*cells, Segment(closing, base)]

    # Mouse

    def on_click(self, event: events.Click) -> None:
        line = self._line_at(event.y)
        before = [place for place, start, _ in line.words if start <= event.x]
        if before:
            self.post_message(self.Touched(before[-1], line.block == 0))


def _middle(word: tuple[int, int, str]) -> float:
    """The cell in the middle of a word of a line."""
    _, start, text = word
    return start + (cell_len(text) - 1) / 2


def _unbroken(words: Sequence[tuple[str, bool]]) -> list[tuple[int, int]]:
    """(first, end) of the words that no space parts."""
    starts = [place for place, (_, space) in enumerate(words) if space or place == 0]
    return list(zip(starts, [*starts[1:], len(words)], strict=True))
