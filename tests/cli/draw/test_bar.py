"""The colour bar: numbers at its ends and within, at every width, with and without colour."""

import numpy as np
import pytest

from dlcc.cli.draw.bar import colour_bar, signs, weight_text
from dlcc.cli.draw.palette import PALETTES
from dlcc.core.trace.scales import SCALES, scale_of

MAP = np.array([[0.01, 0.4], [0.2, 0.8]])


def test_numbers_stand_at_the_ends_and_among_the_colours():
    bar = colour_bar(scale_of("own", MAP), PALETTES["viridis"], "truecolor", 60)
    assert bar.plain.split() == "0 .20 .40 .60 0.80 this map's own scale".split()
    narrow = colour_bar(scale_of("own", MAP), PALETTES["viridis"], "truecolor", 24)
    assert narrow.plain.split() == ["0", ".40", "0.80"]


def test_a_cell_has_the_colour_of_its_place():
    palette = PALETTES["viridis"]
    bar = colour_bar(scale_of("own", MAP), palette, "truecolor", 16)
    looks = [span.style for span in bar.spans][:-1]
    assert looks[0] == palette.style(0.5 / 9, "truecolor")
    assert looks[-1] == palette.style(8.5 / 9, "truecolor")


def test_without_colour_shades_and_signs():
    bar = colour_bar(scale_of("own", MAP), PALETTES["grey"], None, 60)
    assert bar.plain.startswith("0       .20░░")
    assert "█ 0.80" in bar.plain
    signed = colour_bar(scale_of("own", MAP - 0.5), PALETTES["signed"], None, 60)
    assert signed.plain.startswith("-0.49 --")
    assert "++ 0.49" in signed.plain


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("width", [16, 30, 80])
@pytest.mark.parametrize("system", [None, "standard", "truecolor"])
def test_a_bar_keeps_to_its_width(name, width, system):
    for values, palette in ((MAP, "viridis"), (MAP - 0.5, "signed")):
        scale = scale_of(name, values)
        bar = colour_bar(scale, PALETTES[palette], system, width)
        assert bar.cell_len <= max(width, 18)
        assert bar.plain.strip()[-1].isdigit() or scale.meaning in bar.plain


def test_small_numbers_and_words():
    assert [weight_text(v) for v in (0, 0.44, 0.0044, 3e-5)] == ["0", "0.44", "0.0044", "3e-05"]
    assert signs("256") == "orange: for, blue: against"
    assert signs(None, "more", "less") == "+: more, -: less"
