"""The palettes: lightness, contrast, glyphs, and what each kind of terminal gets."""

import io
import itertools
import math

import pytest
from rich.console import Console
from rich.style import Style

from dlcc.cli.draw.palette import PALETTES, SHADES, color_system

SYSTEMS = ["truecolor", "256", "standard", "windows"]
UNSIGNED = [palette for palette in PALETTES.values() if not palette.signed]
SIGNED = PALETTES["signed"]


def luminance(color):
    red, green, blue = (
        c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4
        for c in color.get_truecolor()
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def distinct_backgrounds(palette, system, low=0.0, high=1.0):
    styles = [palette.style(low + (high - low) * n / 200, system) for n in range(201)]
    return [style.bgcolor for style, _ in itertools.groupby(styles)]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("palette", UNSIGNED, ids=lambda palette: palette.name)
def test_a_ramp_rises_in_lightness(palette, system):
    levels = [luminance(color) for color in distinct_backgrounds(palette, system)]
    assert levels == sorted(levels)
    assert len(set(levels)) == len(levels) >= 4
    assert levels[-1] - levels[0] > 0.6


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_signed_ramp_is_lightest_at_both_ends_and_tells_the_signs_apart(system):
    for end in (1.0, -1.0):
        levels = [luminance(c) for c in distinct_backgrounds(SIGNED, system, 0.0, end)]
        assert levels == sorted(levels)
        assert len(levels) >= 4
    assert SIGNED.style(-1, system).bgcolor != SIGNED.style(1, system).bgcolor


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_text_reads_on_every_background(palette, system):
    for step in range(-100, 101):
        style = palette.style(step / 100, system)
        light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.9, (step, style)


def test_values_outside_and_nan_are_drawn_as_the_nearest_end():
    viridis = PALETTES["viridis"]
    assert viridis.style(7.0, "256") == viridis.style(1.0, "256")
    assert viridis.style(-7.0, "256") == viridis.style(0.0, "256")
    assert viridis.style(math.nan, "truecolor") == viridis.style(0.0, "truecolor")
    assert SIGNED.style(-7.0, "256") == SIGNED.style(-1.0, "256")


def test_glyphs_fill_their_width_and_signed_ones_show_the_sign():
    viridis = PALETTES["viridis"]
    assert [viridis.glyph(value) for value in (0.0, 0.3, 0.5, 0.7, 1.0)] == list(SHADES)
    assert viridis.glyph(1.0, 3) == "███"
    assert [SIGNED.glyph(value) for value in (-1.0, -0.1, 0.0, 0.1, 1.0)] == list("-   +")
    assert SIGNED.glyph(-0.5, 3) == "-▒▒"
    assert {len(SIGNED.glyph(step / 10, 4)) for step in range(-10, 11)} == {4}


def test_without_colour_there_is_no_style(monkeypatch):
    assert PALETTES["grey"].style(0.5, None) == Style.null()
    pipe = Console(file=io.StringIO())
    assert color_system(pipe) is None
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system="256", no_color=True)
    assert color_system(terminal) is None
    coloured = Console(file=io.StringIO(), force_terminal=True, color_system="256", no_color=False)
    assert color_system(coloured) == "256"
