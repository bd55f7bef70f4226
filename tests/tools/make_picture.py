"""Draw the ship that the examples look at: a picture of our own, so that anybody may have it.

python tests/tools/make_picture.py
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

_SIDE = 256


def main() -> None:
    picture = Image.new("RGB", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(picture)
    for row in range(_SIDE):
        depth = row / _SIDE
        sky = (150 + round(70 * depth), 190 + round(40 * depth), 235)
        sea = (30, 85 + round(30 * depth), 130 - round(40 * (depth - 0.6)))
        draw.line((0, row, _SIDE, row), sky if row < 168 else sea)
    draw.polygon(((24, 140), (236, 132), (214, 186), (48, 186)), (60, 62, 70))  # hull
    draw.polygon(((48, 178), (217, 178), (214, 190), (50, 190)), (140, 40, 38))  # water line
    draw.rectangle((78, 104, 184, 138), (238, 238, 232))  # decks
    draw.rectangle((98, 82, 168, 104), (225, 225, 220))
    for window in range(84, 178, 14):
        draw.rectangle((window, 114, window + 7, 121), (70, 90, 110))
    draw.rectangle((118, 46, 142, 82), (196, 64, 46))  # funnel
    draw.rectangle((118, 46, 142, 55), (40, 40, 44))
    draw.line((204, 134, 204, 66), (90, 90, 95), 4)  # masts
    draw.line((62, 138, 62, 84), (90, 90, 95), 4)
    picture = picture.filter(ImageFilter.GaussianBlur(2))
    picture.save(Path(__file__).parents[2] / "assets/ship.png", optimize=True)


if __name__ == "__main__":
    main()
