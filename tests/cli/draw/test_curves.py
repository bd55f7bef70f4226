"""Curves in the terminal: the right glyph in the right cell."""

import math

from dlcc.cli.draw.curves import draw_curves


def test_ends_are_in_the_corners_and_the_axes_are_labelled() -> None:
    lines = [line.plain for line in draw_curves({"up": [(0, 0.1), (10, 0.9)]}, 30, 5, "minutes")]
    assert len(lines) == 7
    assert lines[0].startswith("0.9 │")
    assert lines[0].endswith("●")
    assert lines[4].startswith("0.1 │●")
    assert lines[5].strip().startswith("0")
    assert lines[5].endswith("10 minutes")
    assert lines[6].strip() == "● up"
    assert all(len(line) <= 30 for line in lines)


def test_each_curve_has_its_own_mark_and_later_ones_lie_on_top() -> None:
    lines = draw_curves({"a": [(0, 0.0), (1, 1.0)], "b": [(1, 1.0)]}, 30, 4)
    text = "\n".join(line.plain for line in lines)
    assert lines[0].plain.endswith("▲")
    assert "● a   ▲ b" in text


def test_a_flat_curve_and_no_curve() -> None:
    assert draw_curves({"none": []}) == []
    assert draw_curves({"bad": [(0, math.nan)]}) == []
    assert any("●" in line.plain for line in draw_curves({"flat": [(0, 0.5), (3, 0.5)]}))
