import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sentiment_samples import trained, trained_run

from dlcc.core.errors import UsageError
from dlcc.core.sentiment.ablation import effects
from dlcc.core.sentiment.source import SentimentSource

TEXT = "The plot was wonderful and the music is great of this very start."


def with_zeros(classifier, layer: int, head: int):
    """The classifier without the part of a layer's output that comes from one head."""
    model = copy.deepcopy(classifier.model)
    out = model.encoder.layers[layer].attention.out_proj.weight
    width = out.shape[1] // classifier.config.num_heads
    with torch.no_grad():
        out[:, head * width : (head + 1) * width] = 0
    return replace(classifier, model=model, runner=None)


def probabilities(classifier, text: str = TEXT) -> np.ndarray:
    return np.array(classifier.answer([text])[0].probabilities)


@pytest.mark.parametrize("text", [TEXT, f"{TEXT} " * 4])
def test_effects_are_those_of_weights_with_zeros(text):
    classifier = trained()
    before = probabilities(classifier, text)
    label = before.argmax()
    found = effects(classifier, text)
    assert {(each.layer, each.head) for each in found} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for each in found:
        after = probabilities(with_zeros(classifier, each.layer, each.head), text)
        assert each.change == pytest.approx(after[label] - before[label], abs=1e-5)
        assert each.answer == f"{classifier.labels[after.argmax()]} {after.max():.2f}"
    sizes = [abs(each.change) for each in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1e-4


def test_a_trace_without_a_head_and_a_token():
    source = SentimentSource(trained_run())
    (trace,) = source.traces(TEXT)
    (without,) = source.without(trace, heads=[(0, 1)], tokens=[3])
    assert not without.weights[0, 1].any()
    assert without.weights[0, 0].any()
    assert without.key[3] != trace.key[3]
    assert without.key[:3] == trace.key[:3]
    assert without.details["off"] == {"heads": [[0, 1]], "tokens": [3]}
    masked = source.classifier.codec.encode(TEXT).ids
    masked = [*masked[:3], source.classifier.mask, *masked[4:]]
    expected = with_zeros(source.by_torch, 0, 1)
    after = expected.probabilities(expected.logits([masked]))[0]
    before = probabilities(source.by_torch)
    assert without.details["change"].startswith(
        f"{expected.labels[before.argmax()]} {before.max():.2f} → "
    )
    assert without.details["change"].endswith(f"{after.max():.2f}")
    assert without.title == f"without head 1.2, {trace.key[3]}: {without.details['change']}"
    (layer,) = source.without(trace, heads=[(0, 0), (0, 1)])
    assert layer.title.startswith("without layer 1: ")


def test_what_is_not_there_cannot_be_switched_off():
    source = SentimentSource(trained_run())
    (trace,) = source.traces(TEXT)
    with pytest.raises(UsageError, match=r"no head 3\.1"):
        source.without(trace, heads=[(2, 0)])
    with pytest.raises(UsageError, match="no token 100"):
        source.without(trace, tokens=[99])
    with pytest.raises(UsageError, match="another model"):
        source.without(replace(trace, made_by={"model": "other"}), tokens=[0])
    with pytest.raises(UsageError, match="GRU"):
        effects(trained("gru"), TEXT)
