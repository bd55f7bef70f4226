"""The map itself: coloured cells with labels that stay in sight, drawn line by line.

Only cells in sight are drawn, and a cursor move draws only the lines it touches: the line API of
Textual, because a widget a cell, or a DataTable, takes seconds on a map of 200 by 200.
"""

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

from dlcc.cli.draw.labels import Piece, fit, head_lines
from dlcc.cli.tui.state import ShownMap, ViewState
from dlcc.cli.tui.widgets.cells import ZOOMS, Cell, fitted, most_words, sizes
from dlcc.cli.tui.widgets.ink import NUMBER_WIDTH, Ink
from dlcc.core.trace.scales import Scale, scale_of

_INNER = 3  # cells across that hold brackets beside what they show
_FRAMED = 3  # lines from which the cursor's cell has a frame
_LEAST_NOTE = 8
_NOTHING = ShownMap(np.zeros((0, 0)), (), (), (), (), "")
_LABEL = Style()
_STRONG = Style(bold=True)
_DIM = Style(dim=True)
_ROW_LINE = Style(underline=True)


class MapGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """One map with a cursor. It knows how to draw and where the mouse is; keys are the screen's."""

    DEFAULT_CSS = """
    MapGrid { scrollbar-size: 1 1; }
    """

    @dataclass
    class Touched(Message):
        """The mouse chose a cell."""

        row: int
        column: int
        again: bool
        """Whether it was the cell under the cursor already."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown = _NOTHING
        self.centred = False
        """Whether the map stands in the middle of its room."""
        self.zoom: Cell | None = None
        """The size of cells; None takes the largest that fits."""
        self.cell = ZOOMS[0]
        """The size in use."""
        self.row = self.column = 0
        self.highlight = "row"
        self.rows: set[int] = set()
        self.columns: set[int] = set()
        self.notes: tuple[str, ...] = ()
        self._ink = Ink("grey", None, 1)
        self._scale = scale_of("own", _NOTHING.values)
        self._levels = np.zeros((1, 1), dtype=np.uint8)
        self._head: list[list[Piece]] = []
        self._laid_out: ShownMap | None = None
        self._label_width = 1
        self._head_height = 1

    # What is shown

    def show(
        self,
        shown: ShownMap,
        state: ViewState,
        scale: Scale | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Draw another map, or the same one otherwise, in the colours of a state and, unless
        another one is given, by its scale."""
        self.shown, self.notes = shown, notes
        self._scale = scale or state.scale_for()
        self._colors = state.palette_seen, state.system
        self._lay_out()

    def place(self, row: int, column: int) -> None:
        """Move the cursor and draw the lines that this touches."""
        old = self.row, self.column
        self.row, self.column = row, column
        if self._bring_into_sight():
            return  # scrolling has drawn everything
        if self.highlight in ("column", "cross") and old[1] != column:
            self.refresh()
            return
        width, first = self.size.width, self._head_height - round(self.scroll_y)
        starts = {self._line_of(old[0]), self._line_of(row)}
        lines = [Region(0, first + line, width, max(1, self.cell.lines)) for line in starts]
        head = [Region(0, 0, width, self._head_height)] if old[1] != column else []
        self.refresh(*head, *lines)

    def set_zoom(self, step: int) -> None:
        """Larger (+1) or smaller (-1) cells."""
        sizes = self._sizes()
        if step > 0:
            self.zoom = next((size for size in sizes if size > self.cell), sizes[-1])
        elif step < 0:
            self.zoom = next((size for size in reversed(sizes) if size < self.cell), sizes[0])
        self._lay_out()

    def fit_zoom(self) -> None:
        """Take the largest cells that fit."""
        self.zoom = None
        self._lay_out()

    def take(self, cell: Cell) -> None:
        """Take cells of a size that somebody else has found."""
        if cell != self.cell:
            self.zoom = cell
            self._lay_out()

    @property
    def has_numbers(self) -> bool:
        """Whether cells have room for their numbers."""
        return self.cell.width >= NUMBER_WIDTH

    @property
    def sight(self) -> tuple[int, int, int, int]:
        """Row, column, height and width of the part of the map in sight, in map cells."""
        width = max(1, (self.size.width - self._label_width) // self.cell.width)
        height = max(1, self.size.height - self._head_height)
        rows = max(1, 2 * height if self.cell.lines == 0 else height // self.cell.lines)
        first = self._row_at(round(self.scroll_y))
        return first, round(self.scroll_x) // self.cell.width, rows, width

    # Layout

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        if self.shown is _NOTHING or not self.size:
            return
        shown, size = self.shown, self.container_size
        size = Size(size.width + self.styles.margin.left, size.height)
        layout = fitted(shown, size, self._sizes())
        self._label_width, words = layout.label_width, layout.words
        self.cell = layout.cell
        if self.zoom is not None:
            self.cell, words = self.zoom, most_words(size)
        self._ink = Ink(*self._colors, self.cell.width, shown.signed)
        self._levels = self._ink.levels(self._scale.places(shown.values))
        self._head = head_lines(
            shown.column_labels, self.cell.width, words if self.cell.lines else 1
        )
        self._head_height = len(self._head) + 1
        rows, columns = shown.values.shape
        high = -(-rows // 2) if self.cell.lines == 0 else rows * self.cell.lines
        wide = max(columns * self.cell.width, *(p.x + cell_len(p.text) for p in self._head[0]))
        self.virtual_size = Size(self._label_width + wide, self._head_height + high)
        free = size.width - self._label_width - wide if self.centred else 0
        self.styles.margin = (0, 0, 0, max(0, free // 2))
        self._laid_out = shown
        self._bring_into_sight()
        self.refresh()

    def _sizes(self) -> list[Cell]:
        """The sizes to zoom through."""
        return sizes(self.shown, Ink(*self._colors, 1).colored)

    def _row_at(self, line: int) -> int:
        """The (first) map row on a line below the head."""
        return 2 * line if self.cell.lines == 0 else line // self.cell.lines

    def _line_of(self, row: int) -> int:
        """The (first) line of a map row below the head."""
        return row // 2 if self.cell.lines == 0 else row * self.cell.lines

    def _bring_into_sight(self) -> bool:
        """Scroll so that the cursor is seen; whether that was needed."""
        lines, width = max(1, self.cell.lines), self.cell.width
        top, left = round(self.scroll_y), round(self.scroll_x)
        first, height = self._line_of(self.row), self.size.height - self._head_height
        y = min(max(top, first + lines - height), first)
        least = (self.column + 1) * width - (self.size.width - self._label_width)
        x = min(max(left, -(-least // width) * width), self.column * width)
        if (y, x) == (top, left):
            return False
        self.scroll_to(x, y, animate=False, immediate=True)
        return True

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if self._laid_out is not self.shown:
            return Strip.blank(width, base)
        line = y - self._head_height
        if line < 0:
            parts = [
                Segment(" " * self._label_width),
                *self._head_line(y, width - self._label_width),
            ]
            return Strip(parts).crop_extend(0, width, base).apply_style(base)
        line += round(self.scroll_y)
        row = self._row_at(line)
        if row >= len(self.shown.row_labels):
            return Strip.blank(width, base)
        first, cut = divmod(round(self.scroll_x), self.cell.width)
        count = -(-(width - self._label_width + cut) // self.cell.width)
        last = min(first + count, self._levels.shape[1])
        if self.cell.lines == 0:
            label, cells = self._half_line(row, first, last)
        else:
            label, cells = self._row_line(row, line % self.cell.lines, first, last)
        strip = Strip(cells).crop(cut)
        parts = [label, *strip]
        room = width - self._label_width - strip.cell_length - 1
        whole = last == self._levels.shape[1] and line == self._line_of(row) + self.cell.lines // 2
        if whole and self.notes and room >= _LEAST_NOTE:
            parts.append(Segment(" " + fit(self.notes[row], room), _DIM))
        return Strip(parts).crop_extend(0, width, base).apply_style(base)

    def _head_line(self, y: int, room: int) -> list[Segment]:
        """A line of the labels, or the one below them that marks columns and, where labels do not
        lie flat, has the whole word of the cursor's column."""
        width, left = self.cell.width, round(self.scroll_x)
        middle = (width - 1) // 2
        if y < len(self._head):
            pieces = self._head[y]
        else:
            marks = dict.fromkeys(sorted(self.columns), "*") | {self.column: "v"}
            pieces = sorted(Piece(c, c * width + middle, mark) for c, mark in marks.items())
            if max(map(cell_len, self.shown.column_labels)) >= width:
                pieces = self._with_word(pieces, left + room)
        parts: list[Segment] = []
        end = 0
        for piece in pieces:
            start = piece.x - left
            if start < end:
                continue  # left of what is in sight, or under the word
            if start >= room:
                break
            style = _STRONG if piece.column == self.column else _LABEL
            parts += [Segment(" " * (start - end)), Segment(piece.text, style)]
            end = start + cell_len(piece.text)
        return parts

    def _with_word(self, pieces: list[Piece], end: int) -> list[Piece]:
        """The marks with the cursor's word right of its own, or left where there is no room."""
        word = self.shown.column_labels[self.column]
        at = next(n for n, piece in enumerate(pieces) if piece.column == self.column)
        x = pieces[at].x
        if x + 2 + cell_len(word) <= end:
            return [*pieces[:at], Piece(self.column, x, f"v {word}"), *pieces[at + 1 :]]
        x -= cell_len(word) + 1
        before = [piece for piece in pieces[:at] if piece.x < x]
        return [*before, Piece(self.column, x, f"{word} v"), *pieces[at + 1 :]]

    def _row_line(
        self, row: int, part: int, first: int, last: int
    ) -> tuple[Segment, list[Segment]]:
        """The label and the cells on one of the lines of a row."""
        ink, here, middle = self._ink, row == self.row, self.cell.lines // 2
        mark = ">" if here else "*" if row in self.rows else " "
        text = self.shown.row_labels[row] if part == middle else ""
        text = fit(text, self._label_width - 2, align="right")
        label = Segment(f"{text} {mark if part == middle else ' '}", _STRONG if here else _LABEL)
        levels, values = self._levels[row], self.shown.values[row]

        def plain(start: int, end: int) -> list[Segment]:
            if part == middle:
                return ink.cells(levels[start:end], values[start:end])
            return ink.run(levels[start:end])

        special = set(self.columns)
        if here or self.highlight in ("column", "cross"):
            special.add(self.column)
        cells: list[Segment] = []
        start = first
        for column in sorted(c for c in special if first <= c < last):
            cells += plain(start, column)
            cells.append(self._marked(row, column, part))
            start = column + 1
        cells += plain(start, last)
        if here and self.highlight in ("row", "cross") and part == self.cell.lines - 1:
            cells = [Segment(s.text, (s.style or _LABEL) + _ROW_LINE) for s in cells]
        if here and self.cell.width < _INNER and part == middle:
            return self._bracketed(label, cells, levels[first:last], first)
        return label, cells

    def _half_line(self, row: int, first: int, last: int) -> tuple[Segment, list[Segment]]:
        """The label and the cells of two rows that share a line."""
        labels = self.shown.row_labels[row : row + 2]
        here = self.row in (row, row + 1)
        text = self.shown.row_labels[self.row] if here else "·".join(labels)
        chosen = {row, row + 1} & self.rows
        mark = ">" if here else "*" if chosen else " "
        text = fit(text, self._label_width - 2, align="right")
        label = Segment(f"{text} {mark}", _STRONG if here else _LABEL)
        upper = self._levels[row, first:last]
        lower = self._levels[row + 1, first:last] if len(labels) > 1 else None
        cells = self._ink.pairs(upper, lower)
        if not here:
            return label, cells
        return self._bracketed(label, cells, self._levels[self.row, first:last], first)

    def _bracketed(
        self, label: Segment, cells: list[Segment], levels: np.ndarray, first: int
    ) -> tuple[Segment, list[Segment]]:
        """Brackets in the neighbours of the cursor's cell, which is too small to hold them."""
        place, width, styles = self.column - first, self.cell.width, self._ink.styles
        if not 0 <= place < len(levels):
            return label, cells
        strip, end = Strip(cells), len(levels) * width
        left, right = place * width, (place + 1) * width
        opening = Segment("[", styles[levels[place - 1]] + _STRONG) if place else None
        closing = Segment("]", _STRONG)
        if place + 1 < len(levels):
            closing = Segment("]", styles[levels[place + 1]] + _STRONG)
        if opening is None:
            label = Segment(label.text[:-2] + ">[", label.style)
        before = [*strip.crop(0, left - 1), opening] if opening else []
        return label, [*before, *strip.crop(left, right), closing, *strip.crop(right + 1, end)]

    def _marked(self, row: int, column: int, part: int) -> Segment:
        """A line of the cell under the cursor, or of one in a column pointed out."""
        ink, step, (lines, width) = self._ink, int(self._levels[row, column]), self.cell
        middle = part == lines // 2
        value = float(self.shown.values[row, column])
        inner = ink.number_text(value, step)[1:-1] if self.has_numbers and middle else ""
        style, text = ink.styles[step], ink.fills[step]
        if (row, column) == (self.row, self.column):
            if width < _INNER:
                return Segment(text, style)  # its brackets stand beside it
            edge = lines >= _FRAMED and part in (0, lines - 1)
            sides = ("┏┓" if part == 0 else "┗┛") if edge else "┃┃" if lines >= _FRAMED else "[]"
            inner = "━" * (width - 2) if edge else inner or text[1:-1]
            return Segment(sides[0] + inner + sides[1], style + _STRONG)
        return Segment(f"|{inner} " if inner else "|" + text[1:], style)

    # Mouse

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The map cell at a place of the widget, or None outside the map."""
        if x < self._label_width or y < self._head_height:
            return None
        column = (x - self._label_width + round(self.scroll_x)) // self.cell.width
        row = self._row_at(y - self._head_height + round(self.scroll_y))
        rows, columns = self.shown.values.shape
        return (row, column) if row < rows and column < columns else None

    def _beside(self, x: int, y: int) -> tuple[int, int] | None:
        """The cursor's cell moved to the column whose label is at a place, or to the row."""
        inside = self.cell_at(max(x, self._label_width), max(y, self._head_height))
        if inside is None or (x < self._label_width and y < self._head_height):
            return None
        return (inside[0], self.column) if x < self._label_width else (self.row, inside[1])

    def on_click(self, event: events.Click) -> None:
        cell = self.cell_at(event.x, event.y)
        if cell is None and (beside := self._beside(event.x, event.y)):
            self.post_message(self.Touched(*beside, again=False))
        elif cell is not None:
            again = event.chain > 1 and cell == (self.row, self.column)
            self.post_message(self.Touched(*cell, again))
