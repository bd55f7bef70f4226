"""Any picture file: right, or one clear error."""

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcc.core.errors import DataError
from dlcc.core.vit.pictures import decode_picture, read_picture, square


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new("RGB", size, (200, 10, 10)).convert(mode)


def message_of(data: bytes, name: str) -> str:
    """What is wrong with a picture; empty where nothing is. Any other exception fails the test."""
    try:
        decode_picture(data, name)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_the_usual_formats(kind: str) -> None:
    image = decode_picture(encoded(red(), kind), "red")
    assert (image.mode, image.size) == ("RGB", (8, 6))
    assert np.asarray(image).mean((0, 1)) == pytest.approx([200, 10, 10], abs=6)


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("L", "JPEG")]
)
def test_grey_and_palettes(mode: str, kind: str) -> None:
    assert decode_picture(encoded(red(mode), kind), "grey").mode == "RGB"


def test_cmyk() -> None:
    image = decode_picture(encoded(red("CMYK"), "JPEG"), "print")
    assert np.asarray(image).mean((0, 1)) == pytest.approx([200, 10, 10], abs=6)


def test_transparency_lies_on_white() -> None:
    image = red("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert np.asarray(decode_picture(encoded(image, "PNG"), "clear")).min() == 255
    palette = red("P")
    data = encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert np.asarray(decode_picture(data, "clear"))[0, 0].min() == 255
    grey = Image.new("LA", (2, 2), (0, 128))
    assert np.asarray(decode_picture(encoded(grey, "PNG"), "half"))[0, 0, 0] == 127


def test_a_cameras_orientation_is_applied() -> None:
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    turned = decode_picture(encoded(image, "PNG", exif=exif), "turned")
    assert turned.size == (4, 8)
    assert np.asarray(turned)[:4].mean() > 200 > 50 > np.asarray(turned)[4:].mean()


def test_16_bits_become_8() -> None:
    values = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    image = decode_picture(encoded(Image.fromarray(values), "PNG"), "deep")
    assert np.asarray(image)[..., 1].tolist() == [[0, 100], [200, 255]]
    dark = np.full((2, 2), 200, dtype=np.uint16)  # nearly black, not 200 of 255
    image = decode_picture(encoded(Image.fromarray(dark), "PNG"), "dark")
    assert np.asarray(image).max() == 1


@pytest.mark.parametrize(
    ("values", "brightest"), [([0.0, 0.5], 128), ([0, 100], 100), ([0, 1e4], 255)]
)
def test_fractions(values: list[float], brightest: int) -> None:
    image = Image.fromarray(np.array([values, [np.nan, -1]], dtype=np.float32))
    assert np.asarray(decode_picture(encoded(image, "TIFF"), "float")).max() == brightest


def test_one_pixel_and_long_strips_become_squares() -> None:
    one = decode_picture(encoded(red(size=(1, 1)), "PNG"), "one")
    assert square(one, 32).shape == (3, 32, 32)
    assert (square(one, 32)[0] == 200).all()
    assert square(red(size=(300, 1)), 8).shape == (3, 8, 8)


def test_the_middle_is_kept_and_small_pictures_are_not_touched() -> None:
    image = Image.new("RGB", (30, 10), "black")
    image.paste("white", (10, 0, 20, 10))
    assert square(image, 10).min() == 255
    values = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    assert (square(Image.fromarray(values), 5) == values.transpose(2, 0, 1)).all()


def test_every_truncation_is_an_error_or_a_picture() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        whole = encoded(Image.fromarray(noise), kind)
        lengths = range(0, len(whole) - 8, max(1, len(whole) // 60))
        messages = [message_of(whole[:length], "cut.jpg") for length in lengths]
        assert all(message.startswith("cut.jpg ") for message in messages if message)
        assert sum(map(bool, messages)) > 20


def test_damage_is_an_error_or_a_picture() -> None:
    random = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = encoded(red(), kind)
        for _ in range(60):
            data = np.frombuffer(whole, np.uint8).copy()
            data[random.integers(len(data), size=3)] = random.integers(256, size=3)
            message = message_of(data.tobytes(), "broken")
            assert not message or message.startswith("broken ")


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    text = tmp_path / "letter.jpg"
    text.write_text("Dear reader,")
    with pytest.raises(DataError, match=r"letter\.jpg is no picture.*try JPEG"):
        read_picture(text)
    with pytest.raises(DataError, match="is empty"):
        decode_picture(b"", "x.png")
    with pytest.raises(DataError, match=r"cannot read .*nothing\.png"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(DataError, match="cannot read"):
        read_picture(tmp_path)
    with pytest.raises(DataError, match="no picture"):
        decode_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "x.eps")


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be huge and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_decompression_bomb_is_refused_before_it_unpacks(side: int) -> None:
    with pytest.raises(DataError, match="100 million pixels"):
        decode_picture(bomb(side, side), "bomb.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "I;16"])
def test_a_very_large_picture_is_held_once_beside_what_comes_of_it(
    tmp_path: Path, mode: str
) -> None:
    side, path = 6000, tmp_path / "large.png"
    if mode == "I;16":
        image = Image.fromarray(np.full((side, side), 40_000, np.uint16))
    else:
        image = Image.new("RGB", (side, side), (200, 10, 10)).convert(mode)
    image.save(path)
    code = f"""
import resource
from pathlib import Path
from dlcc.core.vit.pictures import read_picture, square
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(square(read_picture(Path({str(path)!r}), 16), 16).shape)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shape, kilobytes = done.stdout.splitlines()
    copy = side * side * 4
    assert shape == "(3, 16, 16)"
    assert int(kilobytes) * 1024 < 2.4 * copy
