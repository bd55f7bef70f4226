import copy

import numpy as np
import pytest
import torch

from dlcc.core.errors import UsageError
from dlcc.core.nn.batches import EOS
from dlcc.core.translate.ablation import effects, shape_of, without
from dlcc.core.translate.codec import Codec
from dlcc.core.translate.config import ARCHITECTURES, Seq2SeqConfig, TranslationConfig
from dlcc.core.translate.data import Pair, Split
from dlcc.core.translate.source import TranslateSource
from dlcc.core.translate.task import build_codec
from dlcc.core.translate.translator import GREEDY, Translator, new_model

TEXT = "The dog sees a cat."


@pytest.fixture(params=ARCHITECTURES)
def translator(request) -> Translator:
    """With drawn weights, of which larger ones say more."""
    pairs = (Pair(TEXT, ("El perro ve un gato.",)),) * 3
    codec: Codec = build_codec(Split(pairs, pairs, pairs), TranslationConfig(vocab_size=60))
    torch.manual_seed(1)
    model = new_model(
        Seq2SeqConfig(codec.size, 16, 32, 1, 2, architecture=request.param, num_heads=2)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        model.output.bias[EOS] = -9  # so that something is written
    return Translator(model, codec, 20, {"command": "drawn"})


def with_zeros(translator: Translator, layer: int, head: int) -> Translator:
    """The translator without the part of what it looks at that comes from one head."""
    model = copy.deepcopy(translator.model)
    if translator.config.architecture == "gru":
        model.look = lambda query, memory: (torch.zeros_like(query), None)
    else:
        out = model.decoder[layer].cross.out_proj.weight
        width = out.shape[1] // translator.config.num_heads
        with torch.no_grad():
            out[:, head * width : (head + 1) * width] = 0
    return Translator(model, translator.codec, 20, {})


def log_probability(translator: Translator, source, target) -> float:
    _, decoded = translator.decode(source, target)
    shares = decoded.logits[0].log_softmax(-1)
    return sum(float(shares[n, token]) for n, token in enumerate([*target, EOS]))


def test_effects_are_those_of_weights_with_zeros(translator):
    (whole,) = translator.translate([TEXT], GREEDY)
    found = effects(translator, TEXT, GREEDY)
    layers, heads = shape_of(translator)
    assert len(found) == layers * heads
    given = whole.source_tokens.ids, whole.tokens
    before = log_probability(translator, *given)
    for each in found:
        other = with_zeros(translator, each.layer, each.head)
        assert each.change == pytest.approx(log_probability(other, *given) - before, abs=1e-4)
    assert max(abs(each.change) for each in found) > 1e-3
    assert [each.change for each in found] == sorted(
        (e.change for e in found), key=lambda c: -abs(c)
    )


def test_a_token_that_is_off_is_looked_at_by_nobody(translator):
    (written,) = without(translator, tokens=[1, 4]).translate([TEXT], GREEDY, keep_steps=True)
    weights = written.steps.weights
    places = np.arange(weights.shape[-1])
    assert len(places) == len(written.source_tokens.ids)
    assert not weights[..., [1, 4]].any()
    assert weights[..., ~np.isin(places, [1, 4])].all()
    assert np.allclose(weights.sum(-1), 1, atol=1e-5)


def test_the_source_shows_what_becomes_of_a_translation(translator, tmp_path):
    source = TranslateSource(options=GREEDY)
    source.translator = source.by_torch = translator
    (trace,) = source.traces(TEXT)
    (made,) = source.without(trace, heads=[(0, 0)])
    if translator.config.architecture == "gru":
        other = with_zeros(translator, 0, 0)
        (expected,) = other.translate([TEXT], GREEDY)
        assert made.details["translation"] == expected.text
    assert not made.weights[0, 0].any()
    assert made.details["change"] == (
        f"{trace.details['translation']} → {made.details['translation']}"
    )
    assert made.details["off"] == {"heads": [[0, 0]], "tokens": []}
    with pytest.raises(UsageError, match="no such token"):
        source.without(trace, tokens=[99])
    with pytest.raises(UsageError, match=r"no head 9\.1"):
        source.without(trace, heads=[(8, 0)])
