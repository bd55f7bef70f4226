"""Scales: where weights stand on a colour bar, and that its numbers say the truth."""

import numpy as np
import pytest

from dlcc.core.trace.scales import SCALES, scale_of

VALUES = np.array([[0.1, 0.2], [0.2, 0.8]])


@pytest.mark.parametrize("name", SCALES)
def test_a_map_fills_its_bar_and_zeros_stay_at_its_low_end(name):
    values = np.array([[0, 0.2], [0, 0], [0.1, 0.4]])
    places = scale_of(name, values).places(values)
    assert places.max() == 1
    assert not places[1].any()


def test_places():
    assert np.allclose(scale_of("own", VALUES, 1.6).places(VALUES), VALUES / 0.8)
    assert np.allclose(scale_of("shared", VALUES, 1.6).places(VALUES), VALUES / 1.6)
    assert np.allclose(scale_of("shared", VALUES, 0.1).places(VALUES), VALUES / 0.8)
    assert np.allclose(scale_of("row", VALUES).places(VALUES), [[0.5, 1], [0.25, 1]])
    assert np.allclose(scale_of("rank", VALUES).places(VALUES), [[0.25, 0.625], [0.625, 1]])
    decades = np.array([[1, 0.1, 0.01, 1e-3, 1e-9]])
    assert np.allclose(scale_of("log", decades).places(decades), [[1, 2 / 3, 1 / 3, 0, 0]])


def test_an_even_map_is_nowhere_strong_beside_a_sharp_one_or_by_rank():
    even = np.full((3, 3), 1 / 3)
    assert scale_of("shared", even, 1.0).places(even).max() == pytest.approx(1 / 3)
    assert 0.4 < scale_of("rank", even).places(even).max() < 0.6


@pytest.mark.parametrize("name", SCALES)
def test_signs_are_kept(name):
    values = np.array([[-0.5, 0.25]])
    scale = scale_of(name, values)
    assert scale.signed
    assert scale.places(values)[0, 0] == -1
    assert scale.ticks()[0][0] == -1
    assert scale.places(-values)[0, 0] == 1


@pytest.mark.parametrize("name", ["shared", "own", "log", "rank"])
def test_the_weight_at_a_place_stands_there(name):
    values = np.random.default_rng(0).gamma(0.5, 1, (9, 9))
    scale = scale_of(name, values, 9.0)
    for place, value in scale.ticks()[1:]:
        assert scale.places(np.array([value]))[0] == pytest.approx(place, abs=0.01)
    assert scale.ticks()[-1][1] == pytest.approx(9.0 if name in ("shared", "log") else values.max())


def test_the_bar_of_rows_names_their_ends():
    assert scale_of("row", VALUES).meaning == "× each row's largest (0.2 to 0.8)"
    assert scale_of("row", VALUES[:1]).meaning == "× each row's largest (0.2)"


def test_nothing_at_all_is_drawn_as_nothing():
    for name in SCALES:
        empty = np.zeros((2, 2))
        assert not scale_of(name, empty).places(empty).any()
        assert scale_of(name, empty).ticks()[0] == (0, 0)
