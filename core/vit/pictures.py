"""Open any picture file, safely, as red, green and blue.

Transparency lies on white, a camera's orientation is applied, 16 bits become 8, and of an
animation the first frame is taken.
"""

import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlcc.core.errors import DataError
from dlcc.core.files.paths import read_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # not EPS: it starts a program
_MAX_PIXELS = 100_000_000  # 300 MB unpacked: above any camera, below a bomb
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)


def read_picture(path: Path) -> Image.Image:
    """The picture in a file, mode RGB.

    Raises:
        DataError: nothing there, no picture, damaged, cut off, or too large.
    """
    return decode_picture(read_bytes(path), str(path))


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
            image = Image.open(BytesIO(data), formats=_FORMATS)
            if image.width * image.height > _MAX_PIXELS:
                raise _too_large(name)
            if at_least:
                image.draft(None, (at_least, at_least))
            return _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise DataError(
            f"{name} is no picture that can be read: try JPEG, PNG, WebP, GIF, BMP or TIFF"
        ) from None
    except _BROKEN as error:
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


def _too_large(name: str) -> DataError:
    return DataError(f"{name} has more than {_MAX_PIXELS // 10**6} million pixels: not read")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Grey values of 16 or 32 bits, or fractions, from 0 to 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    ends = (1.0, 255.0) if image.mode == "F" else (65535.0,)
    highest = float(values.max(initial=0.0))
    white = next((end for end in ends if highest <= end), highest)
    return (values.clip(min=0) / white * 255).round().astype(np.uint8)
