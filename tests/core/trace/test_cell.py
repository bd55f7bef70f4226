"""One cell taken apart: every number against arithmetic done by hand."""

import math

import numpy as np
import pytest

from dlcc.core.trace.cell import explain_cell
from dlcc.core.trace.trace import AttentionTrace

QUERY = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], np.float32)
KEY = np.array([[3.0, 1.0, 2.0], [-1.0, -4.0, 0.0]], np.float32)
VALUE = np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)


def softmax(row):
    parts = [math.exp(score) for score in row]
    return [part / sum(parts) for part in parts]


def four(array):
    return np.asarray(array, np.float32)[None, None]


def dot_trace(**changes):
    scores = four(QUERY @ KEY.T * 0.5)
    fields = {
        "weights": four([softmax(row) for row in scores[0, 0]]),
        "query": ("she", "of"),
        "key": ("her", "him"),
        "scores": scores,
        "tensors": {"query": four(QUERY), "key": four(KEY), "value": four(VALUE)},
        "scale": 0.5,
    }
    return AttentionTrace(**{**fields, **changes})


def test_a_dot_product_cell_term_by_term():
    cell = explain_cell(dot_trace(), 0, 0, 0, 1)
    assert (cell.query, cell.key, cell.mechanism) == ("she", "him", "dot-product")
    assert [(t.dimension, t.query, t.key, t.amount) for t in cell.terms] == [
        (1, -2.0, -4.0, 8.0),
        (0, 1.0, -1.0, -1.0),
        (2, 0.5, 0.0, 0.0),
    ]
    assert (cell.product, cell.scale, cell.score) == (7.0, 0.5, 3.5)
    assert cell.masked is False
    assert cell.rank == 1
    assert cell.row_scores == pytest.approx([1.0, 3.5])
    assert cell.weight == pytest.approx(softmax([1.0, 3.5])[1])
    assert cell.row_weights.sum() == pytest.approx(1.0)


def test_what_the_values_add_sums_to_the_output():
    small, large = softmax([1.0, 3.5])
    cells = [explain_cell(dot_trace(), 0, 0, 0, key) for key in range(2)]
    output = np.array([small, 2 * large])
    assert cells[0].added + cells[1].added == pytest.approx(output)
    assert cells[1].added_norm == pytest.approx(2 * large)
    assert cells[1].output_norm == pytest.approx(math.hypot(*output))
    assert cells[1].share == pytest.approx((2 * large) ** 2 / (output @ output))
    assert cells[0].share + cells[1].share == pytest.approx(1.0)


def test_an_additive_cell_is_w_times_tanh_of_the_sum():
    w = np.array([2.0, -1.0, 0.5], np.float32)
    sums = QUERY[:, None] + KEY[None]
    scores = four(np.tanh(sums) @ w)
    trace = AttentionTrace(
        weights=four([softmax(row) for row in scores[0, 0]]),
        query=("she", "of"),
        key=("her", "him"),
        scores=scores,
        tensors={"query": four(QUERY), "key": four(KEY), "score": w[None, None]},
        mechanism="additive",
    )
    cell = explain_cell(trace, 0, 0, 0, 0)
    expected = [2 * math.tanh(4), -math.tanh(-1), 0.5 * math.tanh(2.5)]
    assert [t.dimension for t in cell.terms] == [0, 1, 2]
    assert [t.amount for t in cell.terms] == pytest.approx(expected)
    assert cell.product == pytest.approx(sum(expected)) == pytest.approx(cell.score)
    assert cell.added is None
    assert cell.share is None


def test_a_masked_cell_says_so():
    trace = dot_trace(
        weights=four([[1.0, 0.0], [0.5, 0.5]]), scores=four([[1.0, -np.inf], [0.0, 0.0]])
    )
    cell = explain_cell(trace, 0, 0, 0, 1)
    assert cell.masked is True
    assert cell.score == -math.inf
    assert cell.product == 7.0
    assert (cell.weight, cell.rank) == (0.0, 2)
    assert cell.added_norm == 0.0


def test_scores_are_computed_from_tensors_where_the_trace_kept_none():
    cell = explain_cell(dot_trace(scores=None), 0, 0, 0, 0)
    assert cell.row_scores == pytest.approx([1.0, 3.5])
    assert cell.score == pytest.approx(1.0)
    assert cell.masked is None


def test_a_trace_of_weights_alone_gives_a_small_explanation():
    trace = AttentionTrace(weights=four([[0.25, 0.75]]), query=("a",), key=("b", "c"))
    cell = explain_cell(trace, 0, 0, 0, 0)
    assert (cell.weight, cell.rank) == (0.25, 2)
    assert cell.terms is cell.product is cell.scale is cell.score is cell.masked is None
    assert cell.row_scores is cell.added is cell.added_norm is cell.output_norm is None


def test_an_output_of_zeros_has_no_shares():
    trace = dot_trace(weights=four([[0.0, 0.0], [0.5, 0.5]]))
    cell = explain_cell(trace, 0, 0, 0, 0)
    assert (cell.output_norm, cell.share) == (0.0, None)


def test_a_cell_outside_the_map_is_an_index_error():
    with pytest.raises(IndexError):
        explain_cell(dot_trace(), 0, 0, 0, 2)
