"""Tokens as a terminal can show them: one line, known width, nothing that steers the terminal."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

from dlcc.cli import render

_JOINER = "\u200d"  # holds an emoji together
_PIECE_STARTS = ("##", "▁", "Ġ")
_PIECE_END = "@@"

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
