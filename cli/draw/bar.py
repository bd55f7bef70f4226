"""The colour bar: what a colour, or a glyph, stands for, in numbers."""

from itertools import groupby

from rich.style import Style
from rich.text import Text

from dlcc.cli.draw.palette import Palette
from dlcc.core.trace.scales import Scale

_DIM = Style(dim=True)
_LEAST = 6  # cells of the bar itself
_TICK = 6  # cells that a number within it needs


def colour_bar(
    scale: Scale, palette: Palette, color_system: str | None, width: int = 40, named: bool = True
) -> Text:
    """One line of at most `width` cells: the low end, the colours with numbers among them, the
    high end and, where there is room, what the scale is.

    Args:
        scale: of the map that it stands beside.
        palette: the map's colours, signed where the scale is.
        color_system: Rich's name; None draws glyphs.
        width: cells that it may take.
        named: whether to say what the scale is.
    """
    ticks = scale.ticks()
    low, high = f"{weight_text(ticks[0][1])} ", f" {weight_text(ticks[-1][1])}"
    meaning = f" {scale.meaning}" if named else ""
    room = width - len(low) - len(high)
    if room - len(meaning) < 2 * _LEAST:
        meaning = ""
    cells = max(_LEAST, min(room - len(meaning), 32 + 16 * scale.signed))
    first, span = ticks[0][0], ticks[-1][0] - ticks[0][0]
    texts = _within(ticks, cells) if room >= _LEAST else {}
    middles = [(cell, first + span * (cell + 0.5) / cells) for cell in range(cells)]
    line = Text(low, _DIM, no_wrap=True, overflow="crop")
    if color_system is None:
        line.append("".join(texts.get(cell, _glyph(palette, place)) for cell, place in middles))
    else:
        looks = groupby(middles, key=lambda middle: palette.style(middle[1], color_system))
        for look, run in looks:
            line.append("".join(texts.get(cell, " ") for cell, _ in run), look)
    return line.append(high, _DIM).append(meaning, _DIM)


def _glyph(palette: Palette, place: float) -> str:
    """The sign of a large magnitude, or the shade of any."""
    glyph = palette.glyph(place, 2 if palette.signed else 1)
    return glyph[0] if palette.signed and abs(place) > 0.5 else glyph[-1]


def signs(color_system: str | None, more: str = "for", less: str = "against") -> str:
    """What the two ends of a signed bar mean; without colour (None) the glyphs' signs."""
    return f"orange: {more}, blue: {less}" if color_system else f"+: {more}, -: {less}"


def weight_text(value: float) -> str:
    """A weight beside a bar: 0, 0.44, 0.0044, 3e-05."""
    return "0" if value == 0 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _within(ticks: list[tuple[float, float]], cells: int) -> dict[int, str]:
    """Characters of the inner ticks, by cell, where all of them have room."""
    first, span = ticks[0][0], ticks[-1][0] - ticks[0][0]
    inner = ticks[1:-1]
    if cells < (len(inner) + 1) * _TICK:
        inner = [
            tick
            for tick in inner
            if tick[0] == 0 or (len(inner) % 2 and tick == inner[len(inner) // 2])
        ]
    found: dict[int, str] = {}
    for place, value in inner:
        text = weight_text(value).replace("0.", ".", 1)
        start = round((place - first) / span * cells - len(text) / 2)
        found |= {start + number: character for number, character in enumerate(text)}
    return found if cells >= 2 * _TICK else {}
