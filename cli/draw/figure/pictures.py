"""Pictures as panels: plain, lit by attention, attention alone, with the classes that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcc.cli.draw.figure.panels import Bar, bar_of
from dlcc.cli.draw.figure.sheet import Sheet, measured
from dlcc.cli.draw.figure.themes import Theme
from dlcc.cli.draw.palette import PALETTES, Palette
from dlcc.cli.draw.pictures import ALONE, LIT, PLAIN, blended
from dlcc.core.trace.scales import scale_of

_FULL = 12  # times the size of letters: the bar of a probability of 1


@dataclass(frozen=True)
class Picture:
    """One of a row."""

    image: np.ndarray
    """[rows, columns, 3] uint8."""
    caption: str = ""
    weights: np.ndarray | None = None
    """[patch rows, patch columns] from 0 to 1, or from -1 where the palette is signed."""
    blend: str = PLAIN
    frame: tuple[int, int, int, int] | None = None
    """A box to be drawn: top, left, bottom and right in pixels, the ends excluded."""


@dataclass(frozen=True)
class PicturePanel:
    """Pictures side by side, above them classes with their probabilities, a colour bar below."""

    pictures: Sequence[Picture]
    title: str = ""
    answers: Sequence[tuple[str, float]] = ()
    note: str = ""
    """A line below the answers."""
    bar: Bar | None = None
    palette: Palette = PALETTES["viridis"]

    def least(self, theme: Theme) -> float:
        return self.size(theme)[0]

    def size(self, theme: Theme) -> tuple[float, float]:
        gap = theme.size
        widths = [self._side(picture, theme)[0] for picture in self.pictures]
        high = max(self._side(picture, theme)[1] for picture in self.pictures)
        below = gap + self.bar.height(theme) if self.bar else 0.0
        wide = sum(widths) + gap * (len(widths) - 1)
        return max(wide, self._answers_width(theme)), self._above(theme) + high + below

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        theme, size = sheet.theme, sheet.theme.size
        names = max((measured(name, size, True) for name, _ in self.answers), default=0.0)
        for row, (name, share) in enumerate(self.answers):
            base = y + row * theme.line + size
            sheet.line(x, base, name, bold=row == 0)
            number = x + names + size + measured("100.0%", size)
            sheet.word(number, base, f"{share:.1%}", align="right")
            sheet.box(
                number + size, base - 0.75 * size, _FULL * size * share, 0.8 * size, "#3b83c0"
            )
        if self.note:
            sheet.line(x, y + len(self.answers) * theme.line + size, self.note, colour=theme.dim)
        top = y + self._above(theme)
        left, high = x, max(self._side(picture, theme)[1] for picture in self.pictures)
        for picture in self.pictures:
            sides = self._side(picture, theme)
            if picture.caption:
                sheet.line(left, top - 0.5 * size, picture.caption, 0.85 * size, theme.dim)
            self._put(sheet, picture, left, top, *sides)
            left += sides[0] + size
        if self.bar:
            self.bar.draw(sheet, x, top + high + size)

    def _put(
        self, sheet: Sheet, picture: Picture, x: float, y: float, wide: float, high: float
    ) -> None:
        pixels = picture.image
        if picture.weights is not None:
            palette = sheet.theme.palette(self.palette)
            pixels = blended(pixels, picture.weights, picture.blend, palette)
        sheet.picture(x, y, wide, high, pixels.round().clip(0, 255).astype(np.uint8))
        if picture.frame:
            top, left, bottom, right = picture.frame
            across, down = wide / pixels.shape[1], high / pixels.shape[0]
            place = x + left * across, y + top * down
            sheet.box(*place, (right - left) * across, (bottom - top) * down, None, "#dd7d22")
        sheet.box(x, y, wide, high, None, sheet.theme.dim)

    def _side(self, picture: Picture, theme: Theme) -> tuple[float, float]:
        rows, columns = picture.image.shape[:2]
        longer = max(rows, columns)
        return theme.picture * columns / longer, theme.picture * rows / longer

    def _above(self, theme: Theme) -> float:
        lines = len(self.answers) + bool(self.note)
        captions = 1.5 * theme.size if any(picture.caption for picture in self.pictures) else 0.0
        return lines * theme.line + (0.8 * theme.size if lines else 0.0) + captions

    def _answers_width(self, theme: Theme) -> float:
        names = max((measured(name, theme.size, True) for name, _ in self.answers), default=0.0)
        answers = names + measured("100.0%", theme.size) + (_FULL + 2) * theme.size
        return max(answers if self.answers else 0.0, measured(self.note, theme.size))


def answer_panel(
    image: np.ndarray,
    patches: np.ndarray,
    title: str,
    answers: Sequence[tuple[str, float]],
    method: str,
) -> PicturePanel:
    """A picture, the same lit by what counted, that alone, and what the picture shows.

    Args:
        image: [rows, columns, 3] uint8.
        patches: [patch rows, patch columns], at least 0.
        title: the picture's name.
        answers: classes with their probabilities, the most probable first.
        method: how the patches' figures were found.
    """
    scale = scale_of("own", patches)
    weights = scale.places(patches)
    pictures = (
        Picture(image, "picture"),
        Picture(image, "lit by what counted", weights, LIT),
        Picture(image, "what counted", weights, ALONE),
    )
    bar = bar_of(scale, PALETTES["viridis"], f"what counted ({method})")
    return PicturePanel(pictures, title, answers, bar=bar)
