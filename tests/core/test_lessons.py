"""Every lesson loads, its maps are made, and its question has one right answer, worked out from
them."""

import numpy as np
import pytest

from dlcc.core.errors import DataError, UsageError
from dlcc.core.lessons import RULES, Lesson, lesson, lessons, trace_of

NAMES = [each.name for each in lessons()]


@pytest.fixture(params=range(1, len(NAMES) + 1), ids=NAMES)
def each(request) -> Lesson:
    return lesson(request.param)


def test_there_are_ten():
    assert len(NAMES) == 10
    with pytest.raises(UsageError, match="from 1 to 10"):
        lesson(11)


def test_maps_are_made(each):
    for page in each.pages:
        assert 100 < len(page.text) < 500  # a screen, and minutes in all
        for show in page.shows:
            weights = trace_of(show).weights
            np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-3)
        assert len(page.shows) == 1 or page.turns


def test_what_there_is_to_do_can_be_done(each):
    assert any(page.do for page in each.pages)
    for page in each.pages:
        kind, wanted = page.done
        assert bool(page.do) == bool(kind)
        if kind == "turn":
            assert 2 <= wanted <= len(page.shows)
        elif kind:
            assert wanted in getattr(
                trace_of(page.shows[0]), {"row": "query", "column": "key"}[kind]
            )


def test_the_right_answer_is_offered_once(each):
    question = each.question
    assert len(set(question.options)) == len(question.options) == len(question.options[:4])
    assert 0 <= each.right() < len(question.options)
    assert question.rule in RULES


def test_the_head_asked_for_is_seen_without_numbers():
    heads = next(each for each in lessons() if each.question.rule == "head")
    trace = trace_of(heads.pages[-1].shows[0])
    query, key = heads.question.about.split()
    weights = np.sort(trace.weights[0, :, trace.query.index(query), trace.key.index(key)])
    assert weights[-1] > weights[-2] + 0.3


def test_the_causal_mask_and_the_temperature_are_those_of_attend():
    from dlcc.core.attend.mechanisms import AttendConfig
    from dlcc.core.attend.source import read_sentences, traces_of

    text = "A student asked the teacher"
    shown = trace_of({"asked": [text, "", "dot"], "temperature": 0.5, "causal": True})
    config = AttendConfig("dot", temperature=0.5, mask="causal")
    made = traces_of(read_sentences([text]), [config])[0]
    np.testing.assert_allclose(shown.weights, made.weights, atol=1e-6)


def test_an_answer_that_is_not_offered_is_a_fault(each):
    from dataclasses import replace

    wrong = replace(each, question=replace(each.question, options=("none of these",)))
    with pytest.raises(DataError, match="does not offer its answer"):
        wrong.right()
