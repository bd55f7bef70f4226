"""Tokens, numbers and blocks of lines as a terminal can show them: of known width, with nothing
that steers it."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, chop_cells, split_graphemes
from rich.text import Text

_JOINER = "\u200d"  # holds an emoji together
_READABLE = 5  # cells that a cut label needs


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


def graphemes(text: str) -> list[str]:
    """Characters as a reader counts them: accents and joined emoji stay with their base."""
    return [text[start:end] for start, end, _ in split_graphemes(text)[0]]


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


@lru_cache(maxsize=65536)
def rotated(text: str, height: int) -> tuple[str, ...]:
    """`text` from top to bottom, one character a line, resting on the last of `height` lines."""
    letters = graphemes(text)
    if len(letters) > height:
        letters = [*letters[: height - 1], "…"]
    return (*[""] * (height - len(letters)), *letters)


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


def head_lines(labels: tuple[str, ...], width: int, most: int) -> list[list[str]]:
    """Column labels as lines of cells `width` wide: lying where that cuts few, else standing.

    Args:
        labels: one a column.
        width: cells of a column.
        most: lines that standing labels may take.
    """
    lengths = list(map(cell_len, labels))
    lines = min(max(lengths), most)
    cut = sum(length >= width for length in lengths)
    few = max(len(labels) // 4, sum(length > lines for length in lengths))
    if not cut or (width >= _READABLE and cut <= few):
        return [[_centred(label, width) for label in labels]]
    margin = " " * ((width - 1) // 2)  # left of the middle, as the numbers below are
    standing = [rotated(label, lines) for label in labels]
    return [
        [fit(margin + letter, width) for letter in line] for line in zip(*standing, strict=True)
    ]


def _centred(text: str, width: int) -> str:
    """`text` in the middle of `width` cells; one too long keeps a blank before the next."""
    if cell_len(text) >= width:
        return fit(text, width - 1) + " "
    return fit(" " * ((width - cell_len(text)) // 2) + text, width)
