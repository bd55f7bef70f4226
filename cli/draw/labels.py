"""Tokens, numbers and blocks of lines as a terminal can show them: of known width, with nothing
that steers it."""

import unicodedata
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, split_graphemes
from rich.text import Text

from dlcc.core.trace.maps import CONTINUED

_JOINER = "\u200d"  # holds an emoji together
_STARTS = ("▁", "Ġ")
_CLOSING = frozenset(".,;:!?)]}’'…")


@lru_cache(maxsize=65536)
def fit(text: str, width: int, align: str = "left") -> str:
    """`text` in exactly `width` cells: cut with an ellipsis, or filled with blanks."""
    if cell_len(text) > width:
        text = (chop_cells(text, width - 1)[0] if width > 1 else "") + "…"
    fill = " " * (width - cell_len(text))
    return fill + text if align == "right" else text + fill


@lru_cache(maxsize=4096)
def number(value: float, width: int) -> str:
    """`value` in at most `width` (3 or more) characters: .44, -.44, 1.0, 0.4432."""
    for digits in (4, 3, 2, 1):
        text = f"{value:.{digits}f}"
        short = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
        if len(text) <= width and width > 4:
            return text
        if len(short) <= width:
            return short
    return f"{value:.0f}"[:width]


@lru_cache(maxsize=65536)
def display(token: str) -> str:
    """`token` composed (NFC), with control and direction characters made visible."""
    text = "".join(map(_visible, unicodedata.normalize("NFC", token)))
    if not text.strip():
        return "␣" * max(1, len(text))
    return text


def _visible(character: str) -> str:
    code = ord(character)
    if code < 32:
        return chr(0x2400 + code)
    if code == 127:
        return "␡"
    if character != _JOINER and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return "�"
    return character


def spaced(
    labels: Sequence[str], words: Sequence[int] = (), special: Collection[str] = ()
) -> tuple[tuple[str, bool], ...]:
    """Tokens as they are read, each with whether a space is before it.

    Args:
        labels: with the marks of their tokeniser, or whole words.
        words: the number of each token's word, where that is known.
        special: tokens that are no part of the text: each stands alone.
    """
    marked = any(label.startswith(_STARTS) and len(label) > 1 for label in labels)
    read, open_end = [], False
    for place, label in enumerate(labels):
        inside = bool(words) and place > 0 and words[place] == words[place - 1]
        text, space = label, not (marked or inside or open_end)
        if label in special or (marked and label.startswith("<")):
            space = True
        elif label.startswith(_STARTS) and len(label) > 1:
            text, space = label[1:], True
        elif label.startswith("##") and len(label) > 2:
            text, space = label[2:], False
        elif label == CONTINUED or (not marked and set(label) <= _CLOSING):
            space = False
        open_end = text.endswith("@@") and len(text) > 2
        read.append((text.removesuffix("@@") if open_end else text, space))
    return tuple(read)


def side_by_side(
    blocks: Sequence[Sequence[Text]], width: int | None = None, gap: int = 2
) -> list[Text]:
    """Blocks of lines, `gap` cells apart, as many in a row as `width` cells hold; all when None."""
    rows: list[list[tuple[int, Sequence[Text]]]] = [[]]  # where each block starts
    start = 0
    for block in blocks:
        cells = max(line.cell_len for line in block)
        if rows[-1] and width is not None and start + cells > width:
            rows.append([])
            start = 0
        rows[-1].append((start, block))
        start += cells + gap
    return [line for row in rows for line in (Text(), *_row(row))][1:]


def _row(blocks: list[tuple[int, Sequence[Text]]]) -> list[Text]:
    lines = []
    for number in range(max(len(block) for _, block in blocks)):
        line = Text(no_wrap=True, overflow="crop")
        for start, block in blocks:
            if number < len(block):
                line.append(" " * (start - line.cell_len)).append_text(block[number])
        lines.append(line)
    return lines


def has_wide(text: str) -> bool:
    """Whether a character of `text` takes two cells."""
    return any(cells > 1 for *_, cells in split_graphemes(text)[0])


class Piece(NamedTuple):
    """A part of a column's label on one line above the columns."""

    column: int
    x: int
    """Cells right of the first column's left edge; negative left of it."""
    text: str


def head_lines(labels: Sequence[str], width: int, most: int) -> list[list[Piece]]:
    """Column labels as lines from top to bottom, each a list of pieces from left to right.

    Words lie flat where they fit, by turns on two lines where that keeps them whole, and else are
    slanted: up to the right, a few letters a line. Where not even that has room, columns have
    numbers.

    Args:
        labels: one a column.
        width: cells of a column.
        most: lines that slanted labels may take; longer ones are cut.
    """
    longest, middle = max(map(cell_len, labels)), (width - 1) // 2
    if longest < width or (longest == width and len(labels) == 1):
        return [[_centred(label, n, width) for n, label in enumerate(labels)]]
    if longest < 2 * width and most > 1:
        flat = [_centred(label, n, width) for n, label in enumerate(labels)]
        stems = [Piece(n, n * width + middle, "│") for n in range(0, len(labels), 2)]
        return [flat[::2], sorted(flat[1::2] + stems)]
    step = width - 1
    if step < 1 + any(map(has_wide, labels)) or most < 2:
        return [_numbers(len(labels), width)]
    parts = [chop_cells(label, step) for label in labels]
    lines: list[list[Piece]] = [[] for _ in range(min(most, max(map(len, parts))))]
    for column, part in enumerate(parts):
        if len(part) > len(lines):
            part = [*part[: len(lines) - 1], fit(part[len(lines) - 1] + "…", step)]
        for line, text in enumerate(part):
            lines[-1 - line].append(Piece(column, column * width + middle + line * step, text))
    return lines


def _numbers(count: int, width: int) -> list[Piece]:
    """The columns' numbers from 1, as many as have room."""
    step = next(n for n in (1, 2, 5, 10, 20, 50, 100) if n * width > len(str(count)))
    right = (width - 1) // 2 + 1  # the last digit stands over the column's middle
    texts = ((n, str(n + 1)) for n in range(step - 1, count, step))
    return [Piece(n, n * width + right - len(text), text) for n, text in texts]


def _centred(text: str, column: int, width: int) -> Piece:
    return Piece(column, column * width + (width - cell_len(text)) // 2, text)
