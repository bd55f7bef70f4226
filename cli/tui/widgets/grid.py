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
from textual.geometry import Region, Size, clamp
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dlcc.cli.draw.labels import fit, has_wide, head_lines
from dlcc.cli.tui.state import ShownMap, ViewState
from dlcc.cli.tui.widgets.ink import NUMBER_WIDTH, Ink
from dlcc.core.trace.scales import Scale, scale_of

WIDTHS = (1, 2, NUMBER_WIDTH, 8)  # cells a map's cell takes, by zoom
_LEAST_NOTE = 8
_NOTHING = ShownMap(np.zeros((0, 0)), (), (), (), (), "")
_CURSOR = Style(bold=True, reverse=True)
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
        self.zoom: int | None = None
        """An index of WIDTHS; None takes the widest that fits."""
        self.row = self.column = 0
        self.highlight = "row"
        self.rows: set[int] = set()
        self.columns: set[int] = set()
        self.notes: tuple[str, ...] = ()
        self._ink = Ink("grey", None, 1)
        self._scale = scale_of("own", _NOTHING.values)
        self._levels = np.zeros((1, 1), dtype=np.uint8)
        self._head: list[list[str]] = []
        self._laid_out: ShownMap | None = None
        self.zoom_now = 0
        """The index of WIDTHS in use."""
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
        lines = [Region(0, first + line, width, 1) for line in {old[0], row}]
        head = [Region(0, 0, width, self._head_height)] if old[1] != column else []
        self.refresh(*head, *lines)

    def set_zoom(self, step: int) -> None:
        """Widen (+1) or narrow (-1) the cells."""
        self.zoom = clamp(self.zoom_now + step, self._least_zoom(), len(WIDTHS) - 1)
        self._lay_out()

    def fit_zoom(self) -> None:
        """Take the widest cells that fit."""
        self.zoom = None
        self._lay_out()

    @property
    def cell_width(self) -> int:
        return self._ink.width

    @property
    def sight(self) -> tuple[int, int, int, int]:
        """Row, column, height and width of the part of the map in sight, in map cells."""
        width = max(1, (self.size.width - self._label_width) // self._ink.width)
        height = max(1, self.size.height - self._head_height)
        return round(self.scroll_y), round(self.scroll_x) // self._ink.width, height, width

    # Layout

    def on_resize(self, _: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        if self.shown is _NOTHING or not self.size:
            return
        shown, size = self.shown, self.container_size
        longest = max(map(cell_len, shown.row_labels))
        self._label_width = min(longest, max(6, size.width // 4)) + 2
        width = self._cell_width(size.width - self._label_width)
        self._ink = Ink(*self._colors, width, shown.signed)
        self._levels = self._ink.levels(self._scale.places(shown.values))
        free = size.height - len(shown.row_labels) - 1
        self._head = head_lines(shown.column_labels, width, max(3, size.height // 4, free))
        self._head_height = len(self._head) + 1
        rows, columns = shown.values.shape
        self.virtual_size = Size(self._label_width + columns * width, self._head_height + rows)
        self._laid_out = shown
        self._bring_into_sight()
        self.refresh()

    def _least_zoom(self) -> int:
        """A wide character does not stand over a single cell."""
        return int(any(map(has_wide, self.shown.column_labels)))

    def _cell_width(self, room: int) -> int:
        """The width of the chosen zoom; fitted, numbers are spread so that labels can lie flat."""
        least, columns = self._least_zoom(), self.shown.values.shape[1]
        if self.zoom is not None:
            self.zoom_now = max(self.zoom, least)
            return WIDTHS[self.zoom_now]
        fitting = (z for z, w in enumerate(WIDTHS) if w * columns <= room and z >= least)
        self.zoom_now = max(fitting, default=least)
        width = WIDTHS[self.zoom_now]
        flat = max(map(cell_len, self.shown.column_labels)) + 1
        return max(width, min(flat, room // columns)) if width >= NUMBER_WIDTH else width

    def _bring_into_sight(self) -> bool:
        """Scroll so that the cursor is seen; whether that was needed."""
        top, left, height, width = self.sight
        y = min(max(top, self.row - height + 1), self.row)
        x = min(max(left, self.column - width + 1), self.column)
        if (y, x) == (top, left):
            return False
        self.scroll_to(x * self._ink.width, y, animate=False, immediate=True)
        return True

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if self._laid_out is not self.shown:
            return Strip.blank(width, base)
        line = y - self._head_height
        row = line + round(self.scroll_y)
        if line >= 0 and row >= len(self.shown.row_labels):
            return Strip.blank(width, base)
        first, cut = divmod(round(self.scroll_x), self._ink.width)
        count = -(-(width - self._label_width + cut) // self._ink.width)
        last = min(first + count, self._levels.shape[1])
        if line < 0:
            label, cells = self._head_line(y, first, last)
        else:
            room = width - self._label_width + cut
            cells_cut = {first} if cut else set()
            if (last - first) * self._ink.width > room:
                cells_cut.add(last - 1)
            label, cells = self._row_line(row, first, last, cells_cut)
        strip = Strip(cells).crop(cut)
        parts = [label, *strip]
        room = width - self._label_width - strip.cell_length - 1
        if line >= 0 and last == self._levels.shape[1] and self.notes and room >= _LEAST_NOTE:
            parts.append(Segment(" " + fit(self.notes[row], room), _DIM))
        return Strip(parts).crop_extend(0, width, base).apply_style(base)

    def _head_line(self, y: int, first: int, last: int) -> tuple[Segment, list[Segment]]:
        width = self._ink.width
        if y < len(self._head):
            line = self._head[y][first:last]
        else:
            marks = dict.fromkeys(self.columns, "*") | {self.column: "v"}
            line = [marks.get(column, " ").center(width) for column in range(first, last)]
        cells = (
            Segment(text, _STRONG if column == self.column else _LABEL)
            for column, text in enumerate(line, first)
        )
        return Segment(" " * self._label_width), list(Segment.simplify(cells))

    def _row_line(
        self, row: int, first: int, last: int, cut: set[int]
    ) -> tuple[Segment, list[Segment]]:
        """The label and the cells of a row; the columns `cut` by the edge show no number."""
        here = row == self.row
        mark = ">" if here else "*" if row in self.rows else " "
        text = fit(self.shown.row_labels[row], self._label_width - 2, align="right")
        label = Segment(f"{text} {mark}", _STRONG if here else _LABEL)
        special = self.columns | cut
        if here or self.highlight in ("column", "cross"):
            special.add(self.column)
        levels, values = self._levels[row], self.shown.values[row]
        cells: list[Segment] = []
        start = first
        for column in sorted(c for c in special if first <= c < last):
            cells += self._ink.cells(levels[start:column], values[start:column])
            cells.append(self._marked(row, column, column in cut))
            start = column + 1
        cells += self._ink.cells(levels[start:last], values[start:last])
        if here and self.highlight in ("row", "cross"):
            cells = [Segment(s.text, (s.style or _LABEL) + _ROW_LINE) for s in cells]
        return label, cells

    def _marked(self, row: int, column: int, cut: bool) -> Segment:
        """The cell under the cursor, one cut by the edge, or one in a column pointed out."""
        ink, step = self._ink, int(self._levels[row, column])
        value = float(self.shown.values[row, column])
        inner = ink.number_text(value, step)[1:-1] if ink.width >= NUMBER_WIDTH else ""
        if (row, column) == (self.row, self.column):
            text = f"[{inner}]" if ink.width > 1 else "X"
            return Segment(text, ink.styles[step] + _CURSOR)
        text = ink.fills[step]
        if not cut:
            text = f"|{inner} " if inner else "|" + text[1:]
        return Segment(text, ink.styles[step])

    # Mouse

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """The map cell at a place of the widget, or None outside the map."""
        if x < self._label_width or y < self._head_height:
            return None
        column = (x - self._label_width + round(self.scroll_x)) // self._ink.width
        row = y - self._head_height + round(self.scroll_y)
        rows, columns = self.shown.values.shape
        return (row, column) if row < rows and column < columns else None

    def on_click(self, event: events.Click) -> None:
        cell = self.cell_at(event.x, event.y)
        if cell is not None:
            again = event.chain > 1 and cell == (self.row, self.column)
            self.post_message(self.Touched(*cell, again))
