"""A sheet to draw on: words, cells, pictures and curves at places in points from its top left.

Matplotlib puts it down as SVG, PDF or PNG. It is imported here alone, when something is drawn.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlcc.cli.draw.figure.themes import Theme
from dlcc.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

Align = Literal["left", "center", "right"]
_FAMILY = "DejaVu Sans"  # comes with Matplotlib: figures are alike on every machine
_PREFERRED = ("Noto Sans CJK", "Noto Sans", "Noto Emoji", "Symbola")
_NOT_FOR_TEXT = ("Last Resort", "STIX", "cm")  # what Matplotlib has for formulas, and boxes
_LONGEST = 14_000  # points of a side: what readers of PDF can open
_MOST_PATHS = 20_000  # cells; beyond, they are a picture, which opens at once
_OVERLAP = 0.15  # of cells without a gap: no seam of paper between them
_XML_CANNOT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Sheet:
    """Takes drawings in any order, and is written once.

    Raises:
        UsageError: larger than a reader can open.
    """

    def __init__(self, width: float, height: float, theme: Theme) -> None:
        from matplotlib.figure import Figure

        if max(width, height) > _LONGEST:
            raise UsageError(
                f"a figure of {width / 72:,.0f} × {height / 72:,.0f} inches cannot be opened; "
                "choose a layer and a head, or end the file in .csv or .json"
            )
        self.width, self.height, self.theme = width, height, theme
        self.lacking = ""
        """The characters that no font has: in PDF and PNG they are boxes."""
        self._figure = Figure((width / 72, height / 72), facecolor=theme.background)
        self._axes = self._figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self._axes.axis("off")

    def word(
        self,
        x: float,
        y: float,
        text: str,
        size: float | None = None,
        colour: str | None = None,
        align: Align = "left",
        turn: float = 0,
        bold: bool = False,
    ) -> None:
        """One piece of text whose base line is at `y`, turned by degrees around its beginning."""
        text = _XML_CANNOT.sub("�", text)
        self.lacking += "".join(
            sign for sign in text if sign not in self.lacking and _family_of(sign) is None
        )
        self._axes.text(
            *(x, y, text),
            fontproperties=_font(text, size or self.theme.size, bold),
            color=colour or self.theme.ink,
            ha=align,
            va="baseline",
            rotation=turn,
            rotation_mode="anchor",
            parse_math=False,
        )

    def line(
        self,
        x: float,
        y: float,
        text: str,
        size: float | None = None,
        colour: str | None = None,
        bold: bool = False,
    ) -> None:
        """Words after each other, each at its own place: no other font can shift the last one."""
        size = size or self.theme.size
        for word in text.split():
            self.word(x, y, word, size, colour, bold=bold)
            x += measured(word, size, bold) + space(size)

    def box(
        self, x: float, y: float, wide: float, high: float, fill: str | None, edge: str = "none"
    ) -> None:
        """A rectangle, filled, framed or both."""
        from matplotlib.patches import Rectangle

        where = Rectangle((x, y), wide, high, facecolor=fill or "none", edgecolor=edge, lw=0.8)
        self._axes.add_patch(where)

    def stroke(
        self, x: tuple[float, float], y: tuple[float, float], width: float, strength: float
    ) -> None:
        """A straight line of so many points, from 0 (nothing) to 1 (ink)."""
        from matplotlib.lines import Line2D

        self._axes.add_line(Line2D(x, y, lw=width, color=self.theme.ink, alpha=strength))

    def cells(self, x: float, y: float, colours: np.ndarray, side: float, gap: float = 0) -> None:
        """A grid of cells.

        Args:
            x, y: its top left corner.
            colours: [rows, columns, 3], 0 to 255.
            side: of a cell, the gap to the next included.
            gap: between cells.
        """
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Outline

        rows, columns = colours.shape[:2]
        pixels = colours.astype(np.uint8)
        if rows * columns > _MOST_PATHS:
            self.picture(x, y, columns * side, rows * side, pixels)
            return
        size = side - gap if gap else side + _OVERLAP
        corners = np.array([[0, 0], [size, 0], [size, size], [0, size], [0, 0]])
        codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY]
        known, numbers = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
        for number, colour in enumerate(known):  # one outline for all cells of a colour
            places = np.argwhere(numbers.reshape(rows, columns) == number)[:, ::-1]
            points = (places[:, None] * side + (x + gap / 2, y + gap / 2) + corners).reshape(-1, 2)
            outline = Outline(points, codes * len(places))
            self._axes.add_patch(PathPatch(outline, facecolor=hexadecimal(colour), lw=0))

    def picture(self, x: float, y: float, wide: float, high: float, pixels: np.ndarray) -> None:
        """Pixels [rows, columns, 3] uint8 with sharp edges, in a rectangle."""
        factor = max(1, round(2 * wide / pixels.shape[1]))  # some renderers smooth what is small
        large = pixels.repeat(factor, 0).repeat(factor, 1)
        area = (x, x + wide, y + high, y)
        self._axes.imshow(large, extent=area, interpolation="none", aspect="auto", zorder=0.5)
        self._axes.set(xlim=(0, self.width), ylim=(self.height, 0))

    def axes(self, x: float, y: float, wide: float, high: float) -> "Axes":
        """Matplotlib's axes in a rectangle, in the sheet's colours."""
        theme = self.theme
        area = (x / self.width, 1 - (y + high) / self.height, wide / self.width, high / self.height)
        axes = self._figure.add_axes(area, facecolor=theme.background)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(theme.dim)
        axes.tick_params(colors=theme.dim, labelcolor=theme.ink, labelsize=0.85 * theme.size)
        return axes

    def written(self, ending: str) -> bytes:
        """The sheet as a file that ends in .svg, .pdf or .png."""
        file = io.BytesIO()
        kinds: dict[str, dict[str, Any]] = {
            ".svg": {"metadata": {"Date": None, "Creator": None, "Format": None, "Type": None}},
            ".pdf": {"metadata": {"CreationDate": None}},
            ".png": {"dpi": self._dpi(), "metadata": {"Software": None}},
        }
        self._figure.savefig(file, format=ending[1:], **kinds[ending])
        data = file.getvalue()
        if ending == ".svg":
            # A document type would name an address that some readers ask for; and lengths in
            # points are nothing to renderers that know of no dots an inch.
            data = re.sub(rb"<!DOCTYPE[^>]*>\s*", b"", data)
            data = re.sub(rb'="([\d.]+)pt"', lambda m: b'="%.2f"' % (float(m[1]) * 96 / 72), data)
        return data

    def _dpi(self) -> float:
        return min(self.theme.dpi, 72 * 60_000 / max(self.width, self.height))


@contextmanager
def own_settings() -> Iterator[None]:
    """Within it, Matplotlib draws as this program asks, whatever a user's settings say."""
    import matplotlib

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # says which fonts it looks for
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")  # a sign that no font has is a box, and is said
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"svg.fonttype": "none", "svg.hashsalt": "dlcc", "pdf.fonttype": 42}
        )
        yield


@lru_cache(maxsize=4096)
def measured(text: str, size: float, bold: bool = False) -> float:
    """How wide `text` is in points."""
    from matplotlib.textpath import text_to_path

    if not text:
        return 0.0
    font = _font(text, size, bold)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def space(size: float) -> float:
    """Between two words."""
    return 0.318 * size


def hexadecimal(colour: np.ndarray) -> str:
    """Red, green and blue, 0 to 255, as #rrggbb."""
    return "#" + bytes(int(part) for part in colour).hex()


@lru_cache(maxsize=4096)
def _font(text: str, size: float, bold: bool) -> "FontProperties":
    from matplotlib.font_manager import FontProperties

    more = dict.fromkeys(family for sign in text if (family := _family_of(sign)))
    families = [*dict.fromkeys([_FAMILY, *more]), "sans-serif"]
    return FontProperties(family=families, size=size, weight="bold" if bold else "normal")


@lru_cache(maxsize=4096)
def _family_of(sign: str) -> str | None:
    """The first font that has a character: Matplotlib's own, else one of the machine's."""
    return next((name for name, file in _fonts() if _has(file, sign)), None)


@lru_cache
def _fonts() -> list[tuple[str, str]]:
    """Names and files of upright fonts, the preferred ones first."""
    from matplotlib.font_manager import fontManager

    upright = [f for f in fontManager.ttflist if f.style == "normal" and f.weight == 400]
    known = {f.name: f.fname for f in upright if not f.name.startswith(_NOT_FOR_TEXT)}
    wanted = (_FAMILY, *_PREFERRED)

    def rank(name: str) -> int:
        return next((n for n, start in enumerate(wanted) if name.startswith(start)), len(wanted))

    return sorted(known.items(), key=lambda font: (font[0] != _FAMILY, rank(font[0]), font[0]))


def _has(file: str, sign: str) -> bool:
    from matplotlib.font_manager import get_font

    try:
        return get_font(file).get_char_index(ord(sign)) > 0
    except (OSError, RuntimeError):  # gone or damaged since Matplotlib listed it
        return False
