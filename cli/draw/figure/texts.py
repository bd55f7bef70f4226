"""Texts as panels: running, wrapped, every word on the colour of its value."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.cli.draw.figure.panels import Bar, bar_of
from dlcc.cli.draw.figure.sheet import Sheet, hexadecimal, measured, space
from dlcc.cli.draw.figure.themes import Theme
from dlcc.cli.draw.labels import display, spaced
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.core.trace.html import ink_on
from dlcc.core.trace.scales import Scale

_FAINT = 0.1  # a share of the largest weight that is left without colour
_LINE = 1.75  # times the size of letters
_RAYS = 5.0  # likewise: the room of lines between two texts
_LEAST_RAY = 0.06  # a share of the largest weight below which no line is drawn


@dataclass(frozen=True)
class Word:
    """A piece of text that is never broken."""

    text: str
    value: float = 0.0
    joined: bool = False
    """Whether no space stands before it."""
    marked: bool = False
    """Whether it is framed: the word that asks."""
    begins: bool = False
    """Whether it begins a new line."""


@dataclass(frozen=True)
class Passage:
    """Words after each other."""

    words: Sequence[Word]
    heading: str = ""
    """In small letters above."""
    scale: Scale | None = None
    """Of its own values, where they are no weights as the others' are; then it has no bar."""
    palette: Palette = PALETTES["viridis"]
    """Of these."""


@dataclass(frozen=True)
class TextPanel:
    """Passages below each other, and the colour bar of their values."""

    passages: Sequence[Passage]
    title: str = ""
    scale: Scale | None = None
    """Of the values; None: there are none."""
    label: str = "weight"
    """What the values are."""
    palette: Palette = PALETTES["viridis"]
    """Signed where the scale is."""
    notes: Sequence[str] = ()
    """Lines below."""
    has_rays: bool = False
    """Whether lines run from the marked word of the first passage to the words of the second, as
    strong as their values; where both passages have one line."""

    @property
    def bar(self) -> Bar | None:
        return bar_of(self.scale, self.palette, self.label) if self.scale else None

    def least(self, theme: Theme) -> float:
        return theme.width / 2

    def size(self, theme: Theme) -> tuple[float, float]:
        line = _LINE * theme.size
        high = _RAYS * theme.size if self._rays(theme) else 0.0
        for passage in self.passages:
            lines = max((row for *_, row in placed(passage.words, theme)), default=0) + 1
            high += (lines + bool(passage.heading)) * line + 0.6 * theme.size
        high += self.bar.height(theme) + 0.4 * theme.size if self.bar else 0.0
        return self._width(theme), high + len(self._notes(theme)) * theme.line

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        theme, size = sheet.theme, sheet.theme.size
        rays, begin = self._rays(theme), y
        for number, passage in enumerate(self.passages):
            below = bool(rays) and number == 1  # where the lines end, no heading is in their way
            if below:
                y += _RAYS * size
                self._draw_rays(sheet, x, begin + 1.5 * size, y + 0.1 * size, rays)
            if passage.heading and not below:
                sheet.line(x, y + size, passage.heading, 0.85 * size, theme.dim)
                y += _LINE * size
            y += self._draw_passage(sheet, x, y, passage)
            if passage.heading and below:
                sheet.line(x, y + size, passage.heading, 0.85 * size, theme.dim)
                y += _LINE * size
            y += 0.6 * size
        if self.bar:
            self.bar.draw(sheet, x, y)
            y += self.bar.height(theme) + 0.4 * size
        for note in self._notes(theme):
            sheet.line(x, y + size, note, 0.85 * size, theme.dim)
            y += theme.line

    def _draw_passage(self, sheet: Sheet, x: float, y: float, passage: Passage) -> float:
        """Its height."""
        theme, size = sheet.theme, sheet.theme.size
        line = _LINE * size
        scale = passage.scale or self.scale
        palette = theme.palette(passage.palette if passage.scale else self.palette)
        values = np.array([[word.value for word in passage.words]])
        shades = scale.places(values)[0] if scale else values[0]
        last = 0
        following = [*(word.joined for word in passage.words[1:]), False]
        places = placed(passage.words, theme)
        for (word, across, row), meets, shade in zip(places, following, shades, strict=True):
            base, last = y + row * line + 1.15 * size, row
            text, ink = display(word.text), theme.ink
            wide = measured(text, size)
            before, after = (0.0 if joins else 0.12 * size for joins in (word.joined, meets))
            left, wide = x + across - before, before + wide + after
            area = left, base - 1.05 * size, wide, 1.42 * size
            if abs(shade) >= _FAINT:
                colour = palette.colours(shade, "truecolor")
                sheet.box(*area, hexadecimal(colour))
                ink = ink_on(colour)
            if word.marked:
                sheet.box(*area, None, theme.ink)
            sheet.word(x + across, base, text, size, ink)
        return (last + 1) * line

    def _rays(self, theme: Theme) -> list[tuple[float, float, float]]:
        """Of each line where it begins and ends, and its place on the scale; none that are faint,
        the strongest last."""
        if not self.has_rays or self.scale is None:
            return []
        asking, asked = (list(placed(each.words, theme)) for each in self.passages[:2])
        if any(row for *_, row in (*asking, *asked)):
            return []
        (start,) = (_middle(word, across, theme) for word, across, _ in asking if word.marked)
        places = np.abs(self.scale.places(np.array([[word.value for word, *_ in asked]])))[0]
        ends = (_middle(word, across, theme) for word, across, _ in asked)
        rays = zip([start] * len(asked), ends, places.tolist(), strict=True)
        return sorted((ray for ray in rays if ray[2] >= _LEAST_RAY), key=lambda ray: ray[2])

    def _draw_rays(
        self, sheet: Sheet, x: float, top: float, end: float, rays: list[tuple[float, float, float]]
    ) -> None:
        for start, across, place in rays:
            width = 0.02 * sheet.theme.size + 0.2 * sheet.theme.size * place
            sheet.stroke((x + start, x + across), (top, end), width, 0.25 + 0.6 * place)

    def _width(self, theme: Theme) -> float:
        ends = [
            across + measured(display(word.text), theme.size)
            for passage in self.passages
            for word, across, _ in placed(passage.words, theme)
        ]
        notes = [measured(note, 0.85 * theme.size) for note in self._notes(theme)]
        return max([*ends, *notes, self.bar.width(theme) if self.bar else 0.0])

    def _notes(self, theme: Theme) -> list[str]:
        lines: list[str] = []
        for note in self.notes:
            words = [Word(word) for word in note.split()]
            rows: dict[int, list[str]] = {}
            for word, _, row in placed(words, theme, 0.85 * theme.size):
                rows.setdefault(row, []).append(word.text)
            lines += [" ".join(rows[row]) for row in sorted(rows)]
        return lines


def _middle(word: Word, across: float, theme: Theme) -> float:
    return across + measured(display(word.text), theme.size) / 2


def placed(
    words: Sequence[Word], theme: Theme, size: float | None = None
) -> Iterator[tuple[Word, float, int]]:
    """Each word, how far to the right it begins, and in which line."""
    size = size or theme.size
    x, row = 0.0, 0
    for number, word in enumerate(words):
        wide = measured(display(word.text), size)
        if number and not word.joined:
            x += space(size)
        if number and (word.begins or x + wide > theme.width):
            x, row = 0.0, row + 1
        yield word, x, row
        x += wide


def running(
    tokens: Sequence[str],
    values: Sequence[float],
    asks: int | None = None,
    numbers: Sequence[int] = (),
    special: Collection[str] = (),
) -> list[Word]:
    """Tokens as a text to be read: pieces of a word and marks of punctuation stand joined.

    Args:
        tokens: as a tokeniser or a reader of words has them.
        values: one a token.
        asks: the place of the token that asks, which is framed.
        numbers: of each token's word, where pieces of one have the same.
        special: tokens that are no part of the text.
    """
    read = zip(spaced(tokens, numbers, special), values, strict=True)
    return [
        Word(text, float(value), not space, place == asks)
        for place, ((text, space), value) in enumerate(read)
    ]
