"""Tokens as a terminal can show them: one line, known width, nothing that steers the terminal."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

from dlcc.cli.draw import grid as render

_JOINER = "\u200d"  # holds an emoji together
_PIECE_STARTS = ("##", "▁", "Ġ")
_PIECE_END = "@@"
_READABLE = 5  # cells that a cut label needs

fit = lru_cache(maxsize=65536)(render.fit)


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


def join_pieces(pieces: list[str]) -> str:
    """The word that subword pieces make, without the marks that tokenisers put on them."""
    word = ""
    for number, piece in enumerate(pieces):
        for mark in _PIECE_STARTS:
            if piece != mark and (number or mark != "##"):
                piece = piece.removeprefix(mark)
        word += piece.removesuffix(_PIECE_END) if number < len(pieces) - 1 else piece
    return display(word)


@lru_cache(maxsize=65536)
def rotated(text: str, height: int) -> tuple[str, ...]:
    """`text` from top to bottom, one character a line, resting on the last of `height` lines."""
    letters = render.graphemes(text)
    if len(letters) > height:
        letters = [*letters[: height - 1], "…"]
    return (*[""] * (height - len(letters)), *letters)


def has_wide(text: str) -> bool:
    """Whether a character of `text` takes two cells."""
    return any(cell_len(part) > 1 for part in render.graphemes(text))


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
