import math

import numpy as np
import pytest

from dlcc.core.errors import UsageError
from dlcc.core.trace import maps


def random_weights(*shape: int) -> np.ndarray:
    raw = np.random.default_rng(0).random(shape, dtype=np.float32)
    return raw / raw.sum(-1, keepdims=True)


def test_heads_are_reduced():
    heads = np.array([[[0.2, 0.8]], [[0.6, 0.4]]], dtype=np.float32)
    assert np.allclose(maps.reduce_heads(heads, "mean"), [[0.4, 0.6]])
    assert np.allclose(maps.reduce_heads(heads, "sum"), [[0.8, 1.2]])
    assert np.allclose(maps.reduce_heads(heads, "max"), [[0.6, 0.8]])


def test_rollout_by_hand():
    first = np.array([[1, 0], [1, 0]], dtype=np.float32)  # all look at position 0
    second = np.array([[0, 1], [0, 1]], dtype=np.float32)
    result = maps.rollout(np.stack([first, second])[:, None])
    # layer 1 mixed: [[1, 0], [.5, .5]]; layer 2 mixed: [[.5, .5], [0, 1]]; product by hand:
    assert np.allclose(result, [[0.75, 0.25], [0.5, 0.5]])


def test_rollout_rows_sum_to_one_even_where_a_row_attends_to_nothing():
    weights = random_weights(3, 2, 5, 5)
    weights[1, :, 2] = 0
    assert np.allclose(maps.rollout(weights).sum(-1), 1, atol=1e-5)


def test_rollout_needs_self_attention():
    with pytest.raises(UsageError, match=r"\(2, 3\)"):
        maps.rollout(random_weights(2, 1, 2, 3))
    assert not maps.can_roll_out((1, 4, 5, 5))
    assert maps.can_roll_out((2, 1, 5, 5))


def test_entropy_from_one_key_to_all():
    assert maps.row_entropy(np.array([0, 1, 0.0])) == 0
    assert maps.row_entropy(np.full(8, 1 / 8)) == pytest.approx(3)
    assert maps.row_entropy(np.zeros(4)) == 0
    assert maps.row_entropy(np.full(8, 0.5)) == pytest.approx(3)  # a sum of heads


def test_rank_and_top_keys():
    row = np.array([0.1, 0.4, 0.4, 0.1])
    assert [maps.rank_in_row(row, k) for k in range(4)] == [3, 1, 1, 3]
    assert maps.top_keys(row, 3) == [1, 2, 0]
    assert maps.top_keys(np.array([0.1, -0.9]), 1) == [1]


def test_words_merge_by_sum_of_keys_and_mean_of_queries():
    values = np.array([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.0, 0.5, 0.5]])
    groups = maps.word_groups((0, 0, 1), 3)
    assert groups == ((0, 1), (2,))
    assert np.allclose(maps.merge(values, groups, groups), [[0.5, 0.5], [0.5, 0.5]])
    alone = maps.word_groups((), 3)
    assert np.array_equal(maps.merge(values, alone, alone), values)


def test_same_word_number_apart_is_two_words():
    assert maps.word_groups((0, 1, 0), 3) == ((0,), (1,), (2,))


def test_hiding_and_renormalising():
    keep = maps.kept_groups(((0,), (1, 2), (3,)), [False, True, False, True])
    assert keep == ((1,), (3,))
    values = maps.merge(np.array([[0.5, 0.1, 0.1, 0.3]]), ((0,),), keep)
    assert np.allclose(maps.renormalised(values), [[0.25, 0.75]])
    assert np.array_equal(maps.renormalised(np.zeros((1, 2))), [[0, 0]])


def test_difference_needs_equal_shapes():
    assert np.allclose(maps.difference(np.ones((1, 2)), np.full((1, 2), 0.25)), 0.75)
    with pytest.raises(UsageError, match=r"\(1, 2\)"):
        maps.difference(np.ones((1, 2)), np.ones((2, 1)))


def test_rank_correlation():
    rising = np.array([1.0, 2, 3, 4])
    assert maps.rank_correlation(rising, rising**3) == pytest.approx(1)
    assert maps.rank_correlation(rising, -rising) == pytest.approx(-1)
    # ties share ranks: [1.5, 1.5, 3, 4] against [1, 2, 3, 4]
    assert maps.rank_correlation(np.array([1.0, 1, 2, 3]), rising) == pytest.approx(0.9486833)
    assert math.isnan(maps.rank_correlation(np.ones(4), rising))


def test_relevance_is_the_rule_written_out() -> None:
    random = np.random.default_rng(3)
    weights = random.dirichlet(np.ones(4), (3, 2, 4)).astype(np.float32)
    slopes = random.normal(size=weights.shape).astype(np.float32)
    total = np.eye(4)
    for layer in range(3):
        helpful = np.zeros((4, 4))
        for head in range(2):
            helpful += np.maximum(weights[layer, head] * slopes[layer, head], 0) / 2
        total = total + helpful @ total
    np.testing.assert_allclose(maps.relevance(weights, slopes), total - np.eye(4), atol=1e-5)
    assert not maps.relevance(weights, np.full_like(slopes, -1)).any()
