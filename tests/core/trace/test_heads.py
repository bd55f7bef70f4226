import math

import numpy as np
import pytest

from dlcc.core.errors import UsageError
from dlcc.core.trace.heads import Mean, find_pair, heads_of, measured, ranked
from dlcc.core.trace.trace import AttentionTrace

TOKENS = ("[CLS]", "stu", "dent", "left")


def trace_of(*heads: object, **changes: object) -> AttentionTrace:
    weights = np.array([heads], np.float32)
    parts: dict = {"query": TOKENS[: weights.shape[2]], "key": TOKENS[: weights.shape[3]]}
    return AttentionTrace(weights, **(parts | changes))


def test_measures_by_hand():
    looks_back = np.eye(4, k=-1)
    looks_back[0, 0] = 1
    nowhere = np.zeros((4, 4))
    found = measured(trace_of(looks_back, np.full((4, 4), 0.25), nowhere, special=("[CLS]",)))
    assert found["entropy"][0, :2] == pytest.approx([0, 2])
    assert found["diagonal"][0, :2] == pytest.approx([1 / 4, 1 / 4])
    assert found["previous"][0, :2] == pytest.approx([1, 1 / 4])  # of the rows that have one before
    assert found["next"][0, :2] == pytest.approx([0, 1 / 4])
    assert found["special"][0, :2] == pytest.approx([2 / 4, 1 / 4])
    assert all(math.isnan(values[0, 2]) for values in found.values())


def test_rows_that_look_at_nothing_do_not_count():
    causal = trace_of([[0, 0, 0], [1, 0, 0], [0.5, 0.5, 0]])
    found = measured(causal)
    assert found["previous"][0, 0] == pytest.approx((1 + 0.5) / 2)
    assert found["entropy"][0, 0] == pytest.approx((0 + 1) / 2)


def test_cross_attention_has_no_diagonal_and_a_text_without_special_tokens_no_share():
    found = measured(trace_of([[0.5, 0.5]], query=("uno",), key=("one", "two")))
    assert found["entropy"][0, 0] == pytest.approx(1)
    for name in ("diagonal", "previous", "next", "special"):
        assert math.isnan(found[name][0, 0])


def test_a_pair_is_of_words_and_of_all_their_tokens():
    weights = [[1, 0, 0, 0], [0, 0.1, 0.2, 0.7], [0, 0.3, 0.4, 0.3], [0, 0.25, 0.5, 0.25]]
    trace = trace_of(weights, query_words=(0, 1, 1, 2), key_words=(0, 1, 1, 2))
    for text in ("left:student", "LEFT:Student", "3:2"):
        (head,) = heads_of([trace], text)
        assert head.values["pair"] == pytest.approx(0.75)
    (head,) = heads_of([trace], "student:left")
    assert head.values["pair"] == pytest.approx(0.5)  # the mean of its two tokens
    with pytest.raises(UsageError, match="student left"):
        heads_of([trace], "left:nobody")


def test_a_colon_may_stand_in_a_word():
    trace = trace_of(np.eye(3), query=("a", ":", "b"), key=("a", ":", "b"))
    assert find_pair("::b", trace) == ([(1,)], [(2,)])


def test_differences_are_not_measured():
    with pytest.raises(UsageError, match="no weights"):
        measured(trace_of([[-1.0, 1.0]], query=("a",), key=("a", "b"), kind="combined"))


def test_heads_are_ranked_the_sharpest_and_the_largest_first():
    heads = heads_of([trace_of(np.full((4, 4), 0.25), np.eye(4), np.zeros((4, 4)))])
    assert [head.place for head in heads] == ["1.1.1", "1.1.2", "1.1.3"]
    for measure, order in (("entropy", [1, 0, 2]), ("previous", [0, 1, 2])):
        assert [head.head for head in ranked(heads, measure)] == order


def test_texts_are_averaged_each_counting_once_where_it_can_be_measured():
    mean = Mean("a:b")
    mean.add([trace_of([[0.5, 0.5], [0.5, 0.5]], query=("a", "b"), key=("a", "b"))])
    mean.add([trace_of(np.eye(3), query=("a", "c", "d"), key=("a", "c", "d"))])
    (head,) = mean.heads()
    assert mean.texts == 2
    assert head.values["diagonal"] == pytest.approx(0.75)
    assert head.values["pair"] == pytest.approx(0.5)  # in the first alone
    assert math.isnan(head.values["special"])


def test_a_pair_that_no_text_has_is_refused():
    mean = Mean("x:y")
    mean.add([trace_of(np.eye(3))])
    with pytest.raises(UsageError, match="x:y"):
        mean.heads()


def test_traces_of_other_heads_are_averaged_apart():
    mean = Mean()
    for _ in range(2):
        mean.add([trace_of(np.eye(4)), trace_of(np.full((4, 4), 0.25), np.eye(4))])
    assert [head.place for head in mean.heads()] == ["1.1.1", "2.1.1", "2.1.2"]
    assert [head.values["diagonal"] for head in mean.heads()] == pytest.approx([1, 0.25, 1])
