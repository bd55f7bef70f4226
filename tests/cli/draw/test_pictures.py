"""Pictures in the terminal: the right colours in the right cells, and shades without colour."""

import numpy as np
import pytest
from rich.text import Text

from dlcc.cli.draw.labels import side_by_side
from dlcc.cli.draw.pictures import ALONE, LIT, attention_pictures, blended, half_blocks, resized


def colours(line: Text, cell: int) -> tuple[str, str]:
    style = line.spans[cell].style
    return style.color.triplet.hex, style.bgcolor.triplet.hex  # type: ignore[union-attr]


def test_a_cell_holds_the_pixel_above_and_the_one_below() -> None:
    image = np.zeros((4, 2, 3), dtype=np.uint8)
    image[0, 0], image[1, 0], image[3, 1] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    lines = half_blocks(image, "truecolor")
    assert [line.plain for line in lines] == ["▀▀", "▀▀"]
    assert colours(lines[0], 0) == ("#ff0000", "#00ff00")
    assert colours(lines[1], 1) == ("#000000", "#0000ff")


def test_an_odd_row_is_repeated() -> None:
    image = np.full((3, 1, 3), 7, dtype=np.uint8)
    assert [line.plain for line in half_blocks(image, "256")] == ["▀", "▀"]


def test_without_colour_lighter_is_denser() -> None:
    image = np.repeat(np.linspace(0, 255, 5, dtype=np.uint8)[None, :, None], 2, 0).repeat(3, 2)
    (line,) = half_blocks(image, None)
    assert line.plain == " ░▒▓█"
    assert not line.spans


def test_the_most_attended_patch_stays_and_the_rest_darkens() -> None:
    image = np.full((4, 4, 3), 200, dtype=np.uint8)
    weights = np.array([[1.0, 0.0], [0.25, 0.0]])
    result = blended(image, weights, LIT)
    assert result[:2, :2] == pytest.approx(200)
    assert result[:, 2:] == pytest.approx(30)
    assert 30 < result[2, 0, 0] < 200
    assert np.isfinite(blended(image, np.zeros((2, 2)), LIT)).all()


def test_heat_rises_in_lightness() -> None:
    shown = blended(np.zeros((2, 6, 3)), np.array([[0.0, 0.5, 1.0]]), ALONE)
    assert shown.shape == (2, 6, 3)
    means = shown[0].mean(-1)
    assert means[0] == means[1] < means[2] == means[3] < means[4]


def test_resizing_averages_down_and_repeats_up() -> None:
    image = np.arange(4, dtype=np.uint8)[None, :, None].repeat(2, 0).repeat(3, 2)
    assert resized(image, 1, 2)[0, :, 0].tolist() == [0.5, 2.5]
    assert resized(image, 4, 8)[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("width", "colours", "views"),
    [(100, "truecolor", 3), (80, "truecolor", 2), (40, "256", 1), (12, "256", 1), (100, None, 2)],
)
def test_as_many_views_as_the_screen_is_wide(width: int, colours: str | None, views: int) -> None:
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    lines = attention_pictures(image, np.ones((8, 8)), width, colours)
    side = min(32, (width - 2) // 2)
    assert lines[0].cell_len <= width
    if side == 32:
        assert lines[0].cell_len == views * 34 - 2
    assert all(line.cell_len == lines[0].cell_len for line in lines)


def test_without_colour_the_attention_stands_beside_the_picture() -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    lines = attention_pictures(image, np.array([[0.0, 1.0]]), 80, None)
    assert lines[0].plain == "        ██"


def test_blocks_of_unequal_height_stand_side_by_side() -> None:
    lines = side_by_side([[Text("ab")], [Text("c"), Text("d")]])
    assert [line.plain for line in lines] == ["ab  c", "    d"]
