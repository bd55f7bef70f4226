import pytest

from dlcc.core.translate.data import Pair
from dlcc.core.translate.senses import _SENSES, sense_scores, wilson

PAIRS = [
    Pair("I know Tom.", ("Conozco a Tom.",)),
    Pair("I know it.", ("Lo sé.",)),
    Pair("Do you know?", ("¿Sabes?",)),
    Pair("I know that you know.", ("Sé que lo sabes.",)),  # twice: does not count
    Pair("Who knows him?", ("¿Quién lo conoce y sabe?",)),  # both senses: does not count
    Pair("The bank is closed.", ("El banco está cerrado.",)),
]


def test_the_sense_of_a_word_is_compared_with_the_reference_s() -> None:
    hypotheses = ["Sé a Tom.", "Lo sé.", "Ya.", "Sé.", "Sé.", "El banco es cerrado."]
    scores = {score.word: score for score in sense_scores(PAIRS, hypotheses)}
    know = scores["know"]
    assert (know.total, know.right, know.wrong, know.commonest) == (3, 1, 1, 2)
    assert (scores["bank"].total, scores["bank"].right) == (1, 1)
    assert (scores["be"].total, scores["be"].right, scores["be"].wrong) == (1, 0, 1)
    assert scores["all"].total == sum(s.total for s in scores.values()) // 2
    assert sense_scores([Pair("Go!", ("¡Ve!",))], ["¡Ve!"]) == []


def test_at_least_twenty_words_have_two_senses_or_more() -> None:
    assert len(_SENSES) >= 20
    assert all(len(senses) >= 2 for senses in _SENSES.values())


def test_the_interval_is_wilson_s() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
