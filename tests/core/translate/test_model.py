import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.errors import UsageError
from dlcc.core.nn.batches import BOS, EOS, PAD, UNK, pad
from dlcc.core.runner import TorchRunner
from dlcc.core.translate import search
from dlcc.core.translate.config import ATTENTIONS, Seq2SeqConfig
from dlcc.core.translate.graphs import graphs
from dlcc.core.translate.model import Seq2Seq
from dlcc.core.translate.search import Hypothesis, longest_target
from dlcc.core.translate.translator import new_model

SOURCES = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16]]
TARGETS = [[20, 21], [22, 23, 24, 25, 26], [27]]
MODELS = (*ATTENTIONS, "transformer")


def greedy_search(model: Any, source: Tensor, *given: Any, **more: Any) -> list[Hypothesis]:
    runner = TorchRunner(model, graphs(model))
    return search.greedy_search(runner, model.config.vocab_size, source.numpy(), *given, **more)


def beam_search(model: Any, source: Tensor, *given: Any, **more: Any) -> list[list[Hypothesis]]:
    runner = TorchRunner(model, graphs(model))
    return search.beam_search(runner, model.config.vocab_size, source.numpy(), *given, **more)


def _model(attention: str = "dot-product", **sizes: int) -> Any:
    """GRUs with that attention, or a Transformer."""
    torch.manual_seed(0)
    config: dict[str, Any] = {"embed_dim": 16, "hidden_dim": 32, "dropout": 0.0} | sizes
    how = "architecture" if attention == "transformer" else "attention"
    return new_model(Seq2SeqConfig(40, **{how: attention}, **config))


def _overfit(model: Seq2Seq, steps: int = 80) -> float:
    source, target = pad(SOURCES), pad([[BOS, *row, EOS] for row in TARGETS])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(steps):
        logits = model(source, target[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    return loss.item()


@pytest.mark.parametrize("attention", MODELS)
def test_learns_one_batch_by_heart_and_finds_it_again(attention: str) -> None:
    model = _model(attention)
    assert _overfit(model) < 0.05
    assert [list(h.tokens) for h in greedy_search(model, pad(SOURCES))] == TARGETS
    best = [hypotheses[0] for hypotheses in beam_search(model, pad(SOURCES), 3, 1.0)]
    assert [list(h.tokens) for h in best] == TARGETS
    assert all(h.finished for h in best)


@pytest.mark.parametrize("attention", MODELS)
def test_padding_changes_nothing(attention: str) -> None:
    model = _model(attention).eval()
    target = torch.tensor([[BOS, 22, 23]])
    together = model(pad(SOURCES), target.expand(3, -1))
    for row, source in enumerate(SOURCES):
        alone = model(torch.tensor([source]), target)
        torch.testing.assert_close(together[row : row + 1], alone)


@pytest.mark.parametrize("attention", ["dot-product", "trainable", "additive"])
def test_weights_are_probabilities_over_the_source_alone(attention: str) -> None:
    model = _model(attention).eval()
    weights = model.decode(model.encode(pad(SOURCES)), torch.full((3, 2), BOS)).weights
    assert weights is not None
    assert weights.shape == (3, 2, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    assert weights[1, :, 2:].eq(0).all()


def test_attention_none_has_the_same_sizes_and_no_weights() -> None:
    with_attention, without = _model(), _model("none")
    assert [p.shape for p in with_attention.parameters()] == [p.shape for p in without.parameters()]
    memory = without.encode(pad(SOURCES))
    assert without.decode(memory, torch.full((3, 1), BOS)).weights is None


def test_a_transformer_has_weights_of_every_layer_and_head() -> None:
    model = _model("transformer", decoder_layers=3).eval()
    weights = model.decode(model.encode(pad(SOURCES)), torch.full((3, 2), BOS)).weights
    assert weights.shape == (3, 2, 3, 4, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 3, 4))
    assert weights[1, ..., 2:].eq(0).all()


@pytest.mark.parametrize("attention", ["dot-product", "transformer"])
def test_step_by_step_is_the_same_as_at_once(attention: str) -> None:
    model = _model(attention).eval()
    memory, target = model.encode(pad(SOURCES)), torch.tensor([[BOS, 22, 23]] * 3)
    at_once, state, steps = model.decode(memory, target).logits, None, []
    for place in range(3):
        decoded = model.decode(memory, target[:, place : place + 1], state)
        state = decoded.state
        steps.append(decoded.logits)
    torch.testing.assert_close(torch.cat(steps, 1), at_once)


@pytest.mark.parametrize("layers", [1, 3])
def test_any_number_of_layers_and_untied_embeddings(layers: int) -> None:
    config = Seq2SeqConfig(
        40, embed_dim=16, hidden_dim=32, encoder_layers=layers, decoder_layers=layers, tied=False
    )
    model = Seq2Seq(config, PAD)
    assert model(pad(SOURCES), torch.full((3, 4), BOS)).shape == (3, 4, 40)
    assert model.source_embedding is not model.target_embedding


@pytest.mark.parametrize("attention", ["dot-product", "transformer"])
def test_tied_embeddings_are_one_table(attention: str) -> None:
    model = _model(attention)
    assert model.output.weight is model.source_embedding.weight is model.target_embedding.weight


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_dim": 7}, "hidden_dim 7"),
        ({"attention": "hard"}, "attention hard"),
        ({"dropout": 1.0}, "dropout 1.0"),
        ({"decoder_layers": 0}, "decoder_layers 0"),
        ({"architecture": "transformer", "num_heads": 3}, "heads 3: does not divide"),
        ({"architecture": "transformer", "attention": "none"}, "attention none"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Seq2SeqConfig(40, **sizes)


def _log_probability(model: Seq2Seq, source: Tensor, tokens: tuple[int, ...]) -> float:
    logits = model(source, torch.tensor([[BOS, *tokens]]))[0]
    logits[:, [PAD, BOS]] = -torch.inf
    wanted = torch.tensor([*tokens, EOS])
    return -F.cross_entropy(logits, wanted, reduction="sum").item()


@pytest.mark.parametrize("attention", ["dot-product", "transformer"])
def test_scores_are_the_models_own_and_a_wider_beam_is_no_worse(attention: str) -> None:
    model = _model(attention)
    _overfit(model, 25)
    source = pad(SOURCES[:1])
    greedy = greedy_search(model, source)[0]
    assert greedy.finished
    assert greedy.score == pytest.approx(_log_probability(model, source, greedy.tokens), abs=1e-4)
    found = beam_search(model, source, 5, 0.0)[0]
    assert found[0].score >= greedy.score - 1e-4
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    for hypothesis in found:
        wanted = _log_probability(model, source, hypothesis.tokens)
        assert hypothesis.score == pytest.approx(wanted, abs=1e-4)


def test_beam_search_in_a_batch_is_the_same_as_alone() -> None:
    model = _model()
    _overfit(model, 15)
    together = beam_search(model, pad(SOURCES), 4, 1.0)
    for source, found in zip(SOURCES, together, strict=True):
        alone = beam_search(model, pad([source]), 4, 1.0)[0]
        assert alone[0].tokens == found[0].tokens
        assert alone[0].score == pytest.approx(found[0].score, abs=1e-4)


def test_a_prefix_is_kept() -> None:
    model = _model()
    _overfit(model)
    forced = greedy_search(model, pad(SOURCES[:1]), [23])[0]
    assert forced.tokens[0] == 23


def test_a_model_that_never_ends_is_cut_off() -> None:
    model = _model().eval()
    with torch.no_grad():
        model.output.bias[EOS] = -1e4
    longest = longest_target(len(SOURCES[0]))
    greedy = greedy_search(model, pad(SOURCES[:1]))[0]
    beam = beam_search(model, pad(SOURCES[:1]), 2, 1.0)[0][0]
    assert (len(greedy.tokens), greedy.finished) == (longest, False)
    assert (len(beam.tokens), beam.finished) == (longest, False)


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_the_longest_translation_does_not_depend_on_the_padding(search: str) -> None:
    model = _model().eval()
    with torch.no_grad():
        model.output.bias[EOS] = -1e4
    sources = [[9], list(range(5, 25))]
    found = [
        greedy_search(model, pad(sources), keep_steps=True)
        if search == "greedy"
        else [best for best, *_ in beam_search(model, pad(sources), 2, 1.0, keep_steps=True)]
    ][0]
    for source, hypothesis in zip(sources, found, strict=True):
        assert len(hypothesis.tokens) == longest_target(len(source))
        assert not hypothesis.finished
        assert hypothesis.steps is not None
        assert hypothesis.steps.weights is not None
        assert hypothesis.steps.weights.shape == (len(hypothesis.tokens), len(source))


def _small(seed: int) -> Seq2Seq:
    """A model of six tokens, UNK and two more among them, that ends sooner or later."""
    torch.manual_seed(seed)
    model = Seq2Seq(Seq2SeqConfig(6, 8, 8, 1, 1, dropout=0.0, attention="dot-product"), PAD).eval()
    with torch.no_grad():
        model.output.weight.mul_(4)
    return model


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.0, 1.4, 5.0])
def test_a_wide_beam_finds_the_best_of_all_translations(
    seed: int, penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 4
    monkeypatch.setattr("dlcc.core.translate.search.longest_target", lambda n: 0 * n + longest)
    model, source = _small(seed), pad([[4, 5]])
    scores = {
        tokens: _log_probability(model, source, tokens) / ((6 + len(tokens)) / 6) ** penalty
        for length in range(longest)
        for tokens in itertools.product((UNK, 4, 5), repeat=length)
    }
    ranked = sorted(scores, key=lambda tokens: -scores[tokens])
    found = beam_search(model, source, 4**longest, penalty)[0]
    assert [hypothesis.tokens for hypothesis in found] == ranked


def _beams_to_the_end(
    model: Seq2Seq, source: list[int], beam: int, penalty: float
) -> list[tuple[float, tuple[int, ...]]]:
    """Beam search of one source that never stops early."""
    live, found = [(0.0, ())], []
    for length in range(1, longest_target(len(source)) + 1):
        given = torch.tensor([[BOS, *tokens] for _, tokens in live])
        logits = model(pad([source] * len(live)), given)[:, -1]
        logits[:, [PAD, BOS]] = -torch.inf
        steps = logits.log_softmax(-1).tolist()
        grown = sorted(
            (score + value, (*tokens, token))
            for (score, tokens), row in zip(live, steps, strict=True)
            for token, value in enumerate(row)
            if value > -torch.inf
        )[::-1][: 2 * beam]
        done = [(score, tokens[:-1]) for score, tokens in grown[:beam] if tokens[-1] == EOS]
        found += [(score / ((5 + length) / 6) ** penalty, tokens) for score, tokens in done]
        live = [(score, tokens) for score, tokens in grown if tokens[-1] != EOS][:beam]
    return sorted(found, reverse=True)[:beam] or live[:1]


@pytest.mark.parametrize("penalty", [0.0, 1.4, 3.0])
def test_the_search_stops_when_nothing_better_can_follow(penalty: float) -> None:
    for seed in range(12):
        model, sources = _small(seed), [[4, 5, 3], [5], [4, 4, 3, 5, 5]]
        together = beam_search(model, pad(sources), 3, penalty)
        for source, found in zip(sources, together, strict=True):
            wanted = _beams_to_the_end(model, source, 3, penalty)
            assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens in wanted]
