"""Colours and glyphs for attention weights, for every kind of terminal.

Every ramp rises in lightness (a signed one from the middle to both ends), so it reads on a grey
screen and by colour-blind eyes. Terminals with 256 or 16 colours get ramps picked by hand: rounding
a fine ramp down to them leaves few, and unequal, steps.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.console import Console
from rich.style import Style

from dlcc.core.errors import UsageError

SHADES = " ░▒▓█"
_STEPS = 64  # of a full ramp: finer than an eye tells apart
_LIGHT_16 = frozenset((2, 3, 6, 7, 9, 10, 11, 13, 14, 15))  # of the 16 colours: black text reads


@dataclass(frozen=True, eq=False)  # one object a palette: quick to look its styles up by
class Palette:
    """One ramp of background colours, from nothing to all of the weight.

    A signed palette runs from -1 through 0 to 1, the others from 0 to 1. Values outside are drawn
    as the nearest end, NaN as 0.
    """

    name: str
    ramp: str
    """RGB colours in hexadecimal, evenly spaced; the colours between them are blended."""
    ramp256: tuple[int, ...]
    """Numbers of the 256-colour table, evenly spaced."""
    ramp16: tuple[int, ...]
    """Numbers of the 16-colour table, evenly spaced."""
    signed: bool = False

    def style(self, value: float, color_system: str | None) -> Style:
        """Background for `value` and a foreground that reads on it.

        Args:
            value: 0 to 1; -1 to 1 in a signed palette.
            color_system: Rich's name (see `color_system`); None gives a style without colour.
        """
        if color_system is None:
            return Style.null()
        styles = _styles(self, color_system)
        part = (self._clamp(value) + 1) / 2 if self.signed else self._clamp(value)
        return styles[round(part * (len(styles) - 1))]

    def colours(self, values: np.ndarray, color_system: str) -> np.ndarray:
        """The backgrounds [..., 3] of values [...], red, green and blue from 0 to 255."""
        backgrounds = (style.bgcolor for style in _styles(self, color_system))
        table = np.array([colour.get_truecolor() for colour in backgrounds if colour])
        parts = (values.clip(-1, 1) + 1) / 2 if self.signed else values.clip(0, 1)
        return table[np.rint(parts * (len(table) - 1)).astype(int)]

    def glyph(self, value: float, width: int = 1) -> str:
        """`value` without colour, `width` cells wide: shades, after a sign in a signed palette."""
        size = abs(value := self._clamp(value))
        shade = SHADES[min(int(size * len(SHADES)), len(SHADES) - 1)]
        if not self.signed:
            return shade * width
        if shade == " ":
            return " " * width
        return ("+" if value > 0 else "-") + shade * (width - 1)

    def _clamp(self, value: float) -> float:
        lowest = -1.0 if self.signed else 0.0
        return min(max(float(value), lowest), 1.0) if value == value else 0.0


@lru_cache
def _styles(palette: Palette, color_system: str) -> tuple[Style, ...]:
    if color_system == "truecolor":
        steps, ramp = 2 * _STEPS - 1 if palette.signed else _STEPS, palette.ramp.split()
        colours = [Color.from_rgb(*_blend(ramp, step / (steps - 1))) for step in range(steps)]
    else:
        numbers = palette.ramp256 if color_system == "256" else palette.ramp16
        colours = [Color.from_ansi(number) for number in numbers]
    return tuple(Style(color=_text_on(colour, color_system), bgcolor=colour) for colour in colours)


def _blend(ramp: list[str], part: float) -> tuple[int, int, int]:
    place = part * (len(ramp) - 1)
    left = min(int(place), len(ramp) - 2)
    low, high = bytes.fromhex(ramp[left]), bytes.fromhex(ramp[left + 1])
    red, green, blue = (round(a + (b - a) * (place - left)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def _text_on(colour: Color, color_system: str) -> Color:
    """Black or white, whichever stands out more (WCAG 2 relative luminance)."""
    if color_system not in ("truecolor", "256"):
        return Color.from_ansi(0 if colour.number in _LIGHT_16 else 15)
    rgb = [part / 255 for part in colour.get_truecolor()]
    linear = [part / 12.92 if part <= 10 / 255 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return Color.from_ansi(16 if luminance > 0.179 else 231)  # 0 and 15 depend on the theme


def color_system(console: Console) -> str | None:
    """The colours that `console` really prints: None under NO_COLOR, in a pipe, on TERM=dumb."""
    return None if console.no_color else console.color_system


# The anchors of viridis and cividis follow the published colour maps (both CC0).
_VIRIDIS = Palette(
    "viridis",
    "440154 482878 3e4a89 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    (53, 54, 24, 30, 36, 77, 148, 227),
    (0, 4, 6, 10, 11),
)
_CIVIDIS = Palette(
    "cividis",
    "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
    (17, 238, 60, 102, 144, 185, 227),
    (0, 4, 8, 7, 11),
)
_GREY = Palette(
    "grey",
    "101010 2b2b2b 474747 656565 848484 a5a5a5 c6c6c6 e9e9e9",
    (233, 236, 239, 242, 245, 248, 251, 255),
    (0, 8, 7, 15),
)
_SIGNED = Palette(
    "signed",
    "b4d7f7 7cb5e8 4a92d0 2a6fad 1d4f80 17324f 181818 4a2a10 7a3f0c a8560c d4731b f09a45 fcc384",
    (153, 117, 74, 31, 24, 17, 16, 52, 94, 130, 172, 215, 222),
    (14, 6, 4, 0, 1, 3, 11),
    signed=True,
)

PALETTES: dict[str, Palette] = {p.name: p for p in (_VIRIDIS, _CIVIDIS, _GREY, _SIGNED)}
"""All palettes by name, in the order in which a view cycles through them."""


def chosen_palette(name: str) -> Palette:
    """What --palette NAME means: any but the signed one.

    Raises:
        UsageError: there is none.
    """
    names = [known for known, palette in PALETTES.items() if not palette.signed]
    if name not in names:
        raise UsageError(f"--palette {name}: choose one of {', '.join(names)}")
    return PALETTES[name]
