"""Pictures in cells of text, two pixels a cell with half blocks, and attention laid over them.

For prints and the viewer alike.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from dlcc.cli.draw.labels import side_by_side
from dlcc.cli.draw.palette import PALETTES, SHADES, Palette
from dlcc.core.trace.scales import scale_of

LIT, TINTED, PLAIN, ALONE = "lit by attention", "tinted by attention", "plain", "attention alone"
BLENDS = (LIT, TINTED, PLAIN, ALONE)
"""How attention is laid over a picture."""
FULL_COLOR = ("truecolor", "256")
"""The colour systems that can show a picture; elsewhere glyphs stand for lightness."""
_TINT = 0.55  # share of the attention's colour in a tinted picture
_DARKEST = 0.15  # what a lit picture keeps where nothing looks
_LIT_RAMP = [round(255 * (_DARKEST + (1 - _DARKEST) * (n / 8) ** 0.5)) for n in range(9)]
LIGHT = replace(PALETTES["grey"], name="light", ramp=" ".join(f"{n:02x}" * 3 for n in _LIT_RAMP))
"""How bright a lit picture is: the ramp of its colour bar."""
_LIGHTNESS = np.array([0.2126, 0.7152, 0.0722])  # share of red, green and blue
_GAP = 2


def resized(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """An image [rows, columns, 3] of another size: means when smaller, repeats when larger."""
    for axis, size in ((0, rows), (1, columns)):
        length = image.shape[axis]
        starts = np.arange(size) * length // size
        if size < length:
            counts = np.diff([*starts, length]).reshape([-1 if a == axis else 1 for a in range(3)])
            image = np.add.reduceat(image.astype(np.float32), starts, axis) / counts
        else:
            image = np.take(image, starts, axis)
    return image


def enlarged(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of patches [rows, columns] repeated to the size of a picture [*shape]."""
    rows = np.arange(shape[0]) * weights.shape[0] // shape[0]
    columns = np.arange(shape[1]) * weights.shape[1] // shape[1]
    return weights[rows][:, columns]


def blended(
    image: np.ndarray,
    weights: np.ndarray,
    blend: str,
    palette: Palette = PALETTES["viridis"],
    color_system: str = "truecolor",
) -> np.ndarray:
    """A picture with the weights of its patches over it.

    Args:
        image: [rows, columns, 3], values from 0 to 255.
        weights: [patch rows, patch columns], from 0 to 1, or from -1 where the palette is signed;
            with signs, or in colours of its own, nothing can be lit: it is tinted.
        blend: one of `BLENDS`.
        palette: the colours of the weights.
        color_system: one of `FULL_COLOR`.

    Returns:
        [rows, columns, 3] float32, values from 0 to 255.
    """
    if blend == PLAIN:
        return image.astype(np.float32)
    weights = enlarged(weights, image.shape[:2])
    if blend == LIT and not palette.signed:
        light = np.sqrt(weights)[..., None]  # eyes see ratios, not differences
        return (image * (_DARKEST + (1 - _DARKEST) * light)).astype(np.float32)
    share = 1.0 if blend == ALONE else _TINT
    colours = palette.colours(weights, color_system)
    return (image * (1 - share) + colours * share).astype(np.float32)


def half_blocks(image: np.ndarray, color_system: str | None) -> list[Text]:
    """A picture as text, one line for every two rows of pixels.

    Args:
        image: [rows, columns, 3], values from 0 to 255.
        color_system: Rich's name.
    """
    pixels = image.round().clip(0, 255).astype(np.uint8)
    if len(pixels) % 2:
        pixels = np.concatenate((pixels, pixels[-1:]))
    pairs = zip(pixels[0::2], pixels[1::2], strict=True)
    if color_system not in FULL_COLOR:
        return [Text("".join(shades(*pair)), no_wrap=True) for pair in pairs]
    lines = []
    for pair in pairs:
        cells = ((cell.text, cell.style or "") for cell in half_block_cells(*pair))
        lines.append(Text.assemble(*cells, no_wrap=True))
    return lines


def palette_under(blend: str, palette: Palette, signed: bool) -> Palette:
    """What the colours of a picture's weights mean: how bright it is where it is lit."""
    return LIGHT if blend == LIT and not signed else palette


def screen_cells(pixels: np.ndarray) -> list[Segment]:
    """A line of cells from two rows of pixels [2, columns, 3], in fewer colours: where styles
    repeat, a screen is painted sooner."""
    upper, lower = pixels.astype(np.uint8) & 0xFC
    return half_block_cells(upper, lower)


def half_block_cells(upper: np.ndarray, lower: np.ndarray) -> list[Segment]:
    """A line of cells from two rows of pixels, each [columns, 3] uint8."""
    pairs = np.concatenate([upper, lower], -1).tolist()
    return [Segment("▀", _pair_style(*pair)) for pair in pairs]


def shades(upper: np.ndarray, lower: np.ndarray) -> list[str]:
    """A line of glyphs for the lightness of two rows of pixels, each [columns, 3] from 0 to 255."""
    lightness = (upper.astype(float) + lower) @ _LIGHTNESS / 2
    return [SHADES[level] for level in (lightness / 256 * len(SHADES)).astype(int)]


def attention_pictures(
    image: np.ndarray, weights: np.ndarray, width: int, color_system: str | None
) -> list[Text]:
    """The picture, the picture lit by attention and the attention alone, side by side.

    As many of the three as `width` cells hold, smaller where the picture is wider than that.

    Args:
        image: [rows, columns, 3] uint8.
        weights: [patch rows, patch columns], at least 0.
        width: cells of the screen.
        color_system: Rich's name; None draws without colour.
    """
    rows, columns = image.shape[:2]
    room = max(2, (width - _GAP) // 2)
    if columns > room:
        rows, columns = max(2, round(rows * room / columns)), room
    small, weights = resized(image, rows, columns), scale_of("own", weights).places(weights)
    if color_system in FULL_COLOR:
        views = [small, blended(small, weights, LIT), blended(small, weights, ALONE)]
    else:  # shades of shades: nobody could tell what is lit
        views = [small, blended(small, weights, ALONE, PALETTES["grey"])]
    views = views[: max(1, (width + _GAP) // (columns + _GAP))]
    return side_by_side([half_blocks(view, color_system) for view in views])


@lru_cache(maxsize=65536)
def _pair_style(r: int, g: int, b: int, r2: int, g2: int, b2: int) -> Style:
    return Style(color=Color.from_rgb(r, g, b), bgcolor=Color.from_rgb(r2, g2, b2))
