"""Pictures in the terminal: two pixels a cell with half blocks, and attention laid over them."""

from functools import lru_cache

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from dlcc.cli.draw.palette import PALETTES, SHADES

_UPPER_HALF = "▀"
_LIGHTNESS = np.array([0.2126, 0.7152, 0.0722])  # share of red, green and blue
_DARKEST = 0.15  # what is left of a pixel that nothing attends to
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


def half_blocks(image: np.ndarray, color_system: str | None) -> list[Text]:
    """One line of text for every two rows of pixels; without colour, shades of lightness.

    Args:
        image: [rows, columns, 3], values from 0 to 255.
        color_system: Rich's name; None draws without colour.
    """
    pixels = image.round().clip(0, 255).astype(np.uint8)
    if len(pixels) % 2:
        pixels = np.concatenate((pixels, pixels[-1:]))
    upper, lower = pixels[0::2], pixels[1::2]
    if color_system is None:
        lightness = (upper.astype(float) + lower) @ _LIGHTNESS / 2
        levels = (lightness / 256 * len(SHADES)).astype(int)
        return [Text("".join(SHADES[level] for level in row)) for row in levels]
    lines = []
    for above, below in zip(upper.tolist(), lower.tolist(), strict=True):
        line = Text(no_wrap=True)
        for top, bottom in zip(above, below, strict=True):
            line.append(_UPPER_HALF, _two_colours(tuple(top), tuple(bottom)))
        lines.append(line)
    return lines


def lit(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The picture as if lit by attention: dark where nothing looks.

    Args:
        image: [rows, columns, 3], values from 0 to 255.
        weights: [patch rows, patch columns], at least 0; the largest is fully lit.

    Returns:
        [rows, columns, 3] float32.
    """
    light = (weights / max(float(weights.max()), 1e-12)) ** 0.5  # eyes see ratios, not differences
    light = _enlarged(light, image.shape[:2])
    return (image * (_DARKEST + (1 - _DARKEST) * light[..., None])).astype(np.float32)


def heat(weights: np.ndarray, shape: tuple[int, int], palette: str = "viridis") -> np.ndarray:
    """The weights [patch rows, patch columns] alone, as a picture [*shape, 3] in colours."""
    scaled = weights / max(float(weights.max()), 1e-12)
    colours = np.zeros((*scaled.shape, 3), dtype=np.float32)
    for place in np.ndindex(*scaled.shape):
        background = PALETTES[palette].style(float(scaled[place]), "truecolor").bgcolor
        colours[place] = background.triplet if background and background.triplet else (0, 0, 0)
    return np.stack([_enlarged(colours[..., band], shape) for band in range(3)], -1)


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
    small = resized(image, rows, columns)
    ramp = "viridis" if color_system else "grey"  # without colour only lightness is left
    views = [small, lit(small, weights), heat(weights, (rows, columns), ramp)]
    if color_system is None:
        del views[1]  # shades of shades: nobody can tell what is lit
    views = views[: max(1, (width + _GAP) // (columns + _GAP))]
    return side_by_side([half_blocks(view, color_system) for view in views])


def side_by_side(blocks: list[list[Text]]) -> list[Text]:
    """Join blocks of lines, each as wide as its own first line, with a gap between."""
    height = max(len(block) for block in blocks)
    lines = []
    for row in range(height):
        line = Text(no_wrap=True)
        for number, block in enumerate(blocks):
            wide = block[0].cell_len + (_GAP if number < len(blocks) - 1 else 0)
            part = block[row].copy() if row < len(block) else Text()
            part.append(" " * (wide - part.cell_len))
            line.append_text(part)
        lines.append(line)
    return lines


def _enlarged(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[rows, columns] repeated to the size of a picture."""
    rows = np.arange(shape[0]) * weights.shape[0] // shape[0]
    columns = np.arange(shape[1]) * weights.shape[1] // shape[1]
    return weights[rows][:, columns]


@lru_cache(maxsize=4096)
def _two_colours(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom))
