"""Explanations against what they are defined by, and what deletion makes of them."""

import numpy as np
import pytest
import torch
from sentiment_samples import WORDS, codec, corpus, trained

from dlcc.core.errors import UsageError
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.codec import MASK, ReviewTokens, ends, windows
from dlcc.core.sentiment.explain import METHODS, STEPS, Explainer, deletion, log_odds
from dlcc.core.sentiment.faithfulness import _cut, faithfulness
from dlcc.core.sentiment.graphs import log_odds as log_odds_of
from dlcc.core.sentiment.source import trace_of
from dlcc.core.trace import maps
from dlcc.core.trace.trace import AttentionTrace

_BEFORE, _AFTER = "The film was", "and this is the end"
_UNTOLD = [*codec().encode(_BEFORE).ids, MASK, *codec().encode(_AFTER).ids]
# The class that the text does not get without its telling word: there that word decides.
TARGET = 1 - int(trained().logits([_UNTOLD]).argmax())
WORD = WORDS[trained().labels[TARGET]][0]
TEXT = f"{_BEFORE} {WORD} {_AFTER}"
TOKENS = codec().encode(TEXT)
TELLING = 3


def explain(answers: Classifier, text: ReviewTokens, target: int, method: str) -> np.ndarray:
    return Explainer(answers, text, target).contributions(method)


def attended(answers: Classifier, text: str, **explanations: np.ndarray) -> AttentionTrace | None:
    return trace_of(Explainer(answers, answers.codec.encode(text), TARGET), text, explanations)


def margin(rows: list[list[int]], target: int) -> np.ndarray:
    answers = trained()
    return log_odds(answers.logits(rows), answers.temperature, target)


def test_log_odds_are_those_of_the_calibrated_probability() -> None:
    answers, logits = trained(), torch.tensor([[1.0, -2.0, 0.5]])
    share = answers.probabilities(logits)[0, 1]
    expected = pytest.approx((share / (1 - share)).log().item())
    assert log_odds(logits.numpy(), answers.temperature, 1).item() == expected
    for target in (1, torch.tensor([1])):
        assert log_odds_of(logits, answers.temperature, target).item() == expected
    far = np.array([[500.0, -500.0, 0.0]], np.float32)  # beyond what exp can tell
    assert log_odds(far, 1.0, 0).item() == pytest.approx(500)


def test_occlusion_is_what_masking_a_word_changes() -> None:
    found = explain(trained(), TOKENS, TARGET, "occlusion")
    ids = list(TOKENS.ids)
    for word in range(len(TOKENS.spans)):
        masked = [MASK if w == word else i for i, w in zip(ids, TOKENS.words, strict=True)]
        whole, less = margin([ids, masked], TARGET)
        assert found[word] == pytest.approx((whole - less).item(), abs=0.05)  # bfloat16
    assert found.argmax() == TELLING
    against = explain(trained(), TOKENS, 1 - TARGET, "occlusion")
    np.testing.assert_allclose(against, -found, atol=1e-4)


def test_rollout_is_the_mean_row_of_rolled_out_weights() -> None:
    trace = attended(trained(), TEXT)
    assert trace is not None
    tokens = maps.rollout(trace.weights).mean(0)
    words = np.bincount(TOKENS.words, tokens)
    np.testing.assert_allclose(explain(trained(), TOKENS, TARGET, "rollout"), words, rtol=1e-4)
    assert words.sum() == pytest.approx(1, rel=1e-3)


def test_gradient_attention_finds_the_telling_word() -> None:
    found = explain(trained(), TOKENS, TARGET, "gradient")
    assert (found >= 0).all()
    assert found.argmax() == TELLING


@pytest.mark.parametrize("method", METHODS)
def test_a_long_text_is_explained_window_by_window(method: str) -> None:
    tokens = codec().encode("the film was " * 20 + WORD)
    found = explain(trained(), tokens, TARGET, method)
    assert found.shape == (61,)
    assert len(windows(tokens.ids, 24)) == len(tokens.ids) // 24 + 1 > 2
    for start in range(0, 61, 24):  # every window has its say
        assert (found[start : start + 24] != 0).any()
    if method != "gradient":  # which leaves out what speaks against the class
        assert (found != 0).mean() > 0.9
    if method == "occlusion":
        assert found.argmax() == 60
    if method == "rollout":
        assert found.sum() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_of_a_text_read_by_its_ends_the_middle_explains_nothing(method: str) -> None:
    answers = trained(long_texts="ends")
    found = explain(answers, codec().encode("the film was " * 20 + WORD), TARGET, method)
    assert (found[6:43] == 0).all()
    assert (found[[*range(6), *range(43, 61)]] != 0).any()


def test_a_long_text_is_cut_to_its_ends_word_by_word() -> None:
    tokens = codec().encode("the film was " * 20 + "lovely music")
    cut = _cut(tokens, 24)
    assert cut.ids == tuple(ends(tokens.ids, 24))
    assert cut.spans == tuple(ends(tokens.spans, 24))
    assert cut.words == tuple(range(24))
    assert _cut(TOKENS, 24) == TOKENS


def test_a_gru_has_no_attention_to_explain_with() -> None:
    assert np.abs(explain(trained("gru"), TOKENS, 1, "occlusion")).argmax() == TELLING
    for method in ("gradient", "rollout"):
        with pytest.raises(UsageError, match="a GRU has no attention"):
            explain(trained("gru"), TOKENS, 1, method)
    with pytest.raises(UsageError, match="explain lime"):
        explain(trained(), TOKENS, TARGET, "lime")


def test_deletion_takes_words_away_in_their_order() -> None:
    answers = trained()
    order = [3, 0, 1, 2, 4, 5, 6, 7, 8]
    curve = deletion(answers, TOKENS, TARGET, order)
    assert curve.shape == (len(STEPS),)
    whole = answers.probabilities(answers.logits([TOKENS.ids]))[0, TARGET].item()
    assert curve[0] == pytest.approx(whole, abs=0.02)
    assert curve[2:].max() < 0.5 < 0.9 < curve[:2].min()  # 10 % of nine words is the first of them
    assert deletion(answers, TOKENS, TARGET, order[::-1]).min() > 0.9


def test_faithfulness_tells_good_explanations_from_random_ones() -> None:
    texts = [review.text for review in corpus().validation[:16]]
    texts += ["", "a lovely film " * 20]
    results = faithfulness(trained(), texts)
    assert [result.area for result in results] == sorted(result.area for result in results)
    found = {result.method: result for result in results}
    assert set(found) == {*METHODS, "random"}
    assert found["occlusion"].gain > 2 * found["occlusion"].error > 0
    assert found["random"].gain == 0
    assert found["occlusion"].gain == pytest.approx(
        found["random"].area - found["occlusion"].area, abs=1e-6
    )
    assert {result.method for result in faithfulness(trained("gru"), texts[:2])} == {
        "occlusion",
        "random",
    }


def test_a_trace_has_all_that_the_viewer_shows() -> None:
    values = np.arange(len(TOKENS.spans), dtype=np.float32)
    trace = attended(trained(), TEXT, occlusion=values)
    assert trace is not None
    assert trace.kind == "sentiment"
    assert trace.weights.shape == (2, 2, len(TOKENS.ids), len(TOKENS.ids))
    assert WORD.startswith(trace.query[TELLING])
    shifted = np.exp(trace.scores - trace.scores.max(-1, keepdims=True))
    softmax = shifted / shifted.sum(-1, keepdims=True)
    np.testing.assert_allclose(trace.weights, softmax, atol=1e-4)
    spread = np.bincount(TOKENS.words, trace.tensors["explanation.occlusion"])
    np.testing.assert_allclose(spread, values, rtol=1e-5)
    assert trace.title.startswith(f"{trained().labels[TARGET]} ")
    assert attended(trained("gru"), TEXT) is None
    assert attended(trained(), "<br />") is None
    long = attended(trained(), "the film " * 40)
    assert long is not None
    assert long.weights.shape[-1] == 24
    assert ends(long.query, 24) == long.query
