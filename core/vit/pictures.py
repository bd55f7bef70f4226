"""Open any picture file, safely, as red, green and blue.

Transparency lies on white, a camera's orientation is applied, 16 bits become 8, and of an
animation the first frame is taken.
"""

import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlcc.core.errors import DataError
from dlcc.core.files.paths import read_bytes

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_HEIF = (".heic", ".heif")
_OTHERS = (".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # EPS starts a program
_MAX_PIXELS = 100_000_000  # 300 MB unpacked: above any camera, below a bomb
_ROWS = 256  # of a picture that are converted at a time


@cache
def reads_heif() -> bool:
    """Whether HEIC pictures can be read: where pillow-heif is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def suffixes() -> tuple[str, ...]:
    """The endings of files that can be read."""
    return (*_JPEG, *_OTHERS, *(_HEIF if reads_heif() else ()))


def read_picture(path: Path, at_least: int | None = None) -> Image.Image:
    """The picture in a file, mode RGB.

    Args:
        path: the file.
        at_least: as for `decode_picture`.

    Raises:
        DataError: nothing there, no picture, damaged, cut off, or too large.
    """
    return decode_picture(read_bytes(path), str(path), at_least)


def decode_picture(data: bytes, name: str, at_least: int | None = None) -> Image.Image:
    """The picture in a file's bytes, mode RGB.

    Args:
        data: the file's content.
        name: what messages call it.
        at_least: a side in pixels; larger JPEGs may be decoded smaller, down to about this.

    Raises:
        DataError: no picture, damaged, cut off, or too large.
    """
    if not data:
        raise DataError(f"{name} is empty")
    try:
        with warnings.catch_warnings():  # what Pillow warns of is refused or harmless here
            warnings.simplefilter("ignore")
            formats = (*_FORMATS, "HEIF") if reads_heif() else _FORMATS
            image = Image.open(BytesIO(data), formats=formats)
            if image.width * image.height > _MAX_PIXELS:
                raise _too_large(name)
            if at_least:
                image.draft(None, (at_least, at_least))
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        if name.lower().endswith(_HEIF):
            raise DataError(f"{name} is HEIC: install pillow-heif to read it") from None
        raise DataError(
            f"{name} is no picture that can be read: try JPEG, PNG, WebP, GIF, BMP or TIFF"
        ) from None
    except DataError:
        raise
    except Exception as error:  # whatever Pillow's plugins raise of damage
        raise DataError(f"{name} is damaged or cut off ({error})") from error


def square(image: Image.Image, size: int) -> np.ndarray:
    """The middle of a picture as [3, size, size] uint8: short side resized, long side cut."""
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    if box != (0, 0, size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    """A picture [3, s, s] uint8 as [3, size, size] uint8."""
    if picture.shape[1] == size:
        return picture
    return square(Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))), size)


def _too_large(name: str) -> DataError:
    return DataError(f"{name} has more than {_MAX_PIXELS // 10**6} million pixels: not read")


def _to_rgb(image: Image.Image) -> Image.Image:
    """The picture without transparency, made some rows at a time: a copy of 100 million pixels
    takes 400 MB."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    white = _white(image) if image.mode.startswith(("I", "F")) else 0.0
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, _ROWS):
        rows = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        whole.paste(_rows_to_rgb(rows, white), (0, top))
    return whole


def _rows_to_rgb(image: Image.Image, white: float) -> Image.Image:
    if white:
        return Image.fromarray(_eight_bits(image, white)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image).convert("RGB")
    return image.convert("RGB")


def _white(image: Image.Image) -> float:
    """What is white in grey values of 16 or 32 bits, or fractions."""
    values = np.asarray(image)
    strips = np.array_split(values, max(1, len(values) // _ROWS))
    highest = max(float(_finite(strip).max(initial=0.0)) for strip in strips)
    ends = (1.0, 255.0) if image.mode == "F" else (65535.0,)
    return next((end for end in ends if highest <= end), highest)


def _eight_bits(image: Image.Image, white: float) -> np.ndarray:
    """Grey values from 0 to 255."""
    return (_finite(np.asarray(image)).clip(min=0) / white * 255).round().astype(np.uint8)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values.astype(np.float32))
