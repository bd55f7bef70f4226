"""How large the cells of a map are drawn: what there is to zoom through, and what fits."""

from typing import NamedTuple

from rich.cells import cell_len
from textual.geometry import Size, clamp

from dlcc.cli.draw.labels import has_wide, head_lines
from dlcc.cli.tui.state import ShownMap
from dlcc.cli.tui.widgets.ink import NUMBER_WIDTH


class Cell(NamedTuple):
    """How large a map's cell is drawn."""

    lines: int
    """0: two rows of the map share a line, one above the other in half blocks."""
    width: int


HALF = Cell(0, 1)
ZOOMS = tuple(Cell(*size) for size in ((1, 2), (1, NUMBER_WIDTH), (1, 8), (3, 6), (5, 10), (8, 16)))
"""What zooming goes through, after the smallest cells of the terminal."""


class Fitted(NamedTuple):
    """How a map is laid out."""

    cell: Cell
    words: int
    """The lines that the labels above may take."""
    label_width: int
    """The room left of the cells."""
    whole: bool
    """Whether all of the map is in sight."""


def sizes(shown: ShownMap, colored: bool) -> list[Cell]:
    """The sizes to zoom through; two rows share a line in colours only, and a wide character does
    not stand over a single cell."""
    wide = any(map(has_wide, shown.column_labels))
    half = [HALF] if colored else [Cell(1, 1)]
    return [size for size in (*half, *ZOOMS) if size.width > wide]


def most_words(size: Size) -> int:
    """The lines that labels above a map may take on a screen."""
    return max(3, size.height // 4)


def fitted(shown: ShownMap, size: Size, zooms: list[Cell]) -> Fitted:
    """The largest cells, about as high as wide, that show the whole map, with whole labels where
    there is room; else the smallest, with labels of one line where only numbers have room."""
    rows, columns = shown.values.shape
    longest = max(map(cell_len, shown.row_labels))
    label_width = min(longest, max(6, size.width // 4)) + 2
    width, height = size.width - label_width, size.height
    flat = max(map(cell_len, shown.column_labels)) + 1
    ways = [
        (most, lines, across)
        for labels in ((max(flat, most_words(size)), most_words(size)), (1,))
        for lines in range(max(1, height // rows), 0, -1)
        for across in range(
            min(width // columns, max(2 * lines, flat, NUMBER_WIDTH)), max(1, 2 * lines - 3), -1
        )
        for most in labels
    ]
    for most, lines, across in ways:
        head = head_lines(shown.column_labels, across, most)
        end = max(piece.x + cell_len(piece.text) for piece in head[0])
        if len(head) + 1 + rows * lines <= height and end <= width:
            return Fitted(Cell(lines, across), most, label_width, True)
    least = zooms[0]
    cell = least._replace(width=clamp(width // columns, least.width, 2))
    high = -(-rows // 2) if cell.lines == 0 else rows
    whole = columns * cell.width <= width and 2 + high <= height
    return Fitted(cell, 1, label_width, whole)
