"""Learning to classify and to guess masked words: batches, losses, resuming."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sentiment_samples import SIZES, codec, corpus, model, trained, trained_run

from dlcc.core.errors import DataError, UsageError
from dlcc.core.nn.batches import EOS
from dlcc.core.sentiment.codec import MASK
from dlcc.core.sentiment.config import ClassifyConfig, EncoderConfig, MaskedWordConfig
from dlcc.core.sentiment.data import Review, Source
from dlcc.core.sentiment.model import MaskedWordModel
from dlcc.core.sentiment.pretrain import MaskedWordTask
from dlcc.core.sentiment.start import from_checkpoint
from dlcc.core.sentiment.task import ClassifyTask, label_numbers, target_shares
from dlcc.core.train.checkpoint import load_checkpoint
from dlcc.core.train.config import FitConfig
from dlcc.core.train.fit import fit

TEXTS = [review.text for review in corpus().train]
FIT = FitConfig(epochs=2, learning_rate=0.01, ema_decay=0.9, bfloat16=False)


def classify(**changes: object) -> ClassifyTask:
    config = ClassifyConfig(**{"batch_tokens": 600, **changes})
    return ClassifyTask(model(), codec(), corpus(), config, {})


def masked(**changes: object) -> MaskedWordTask:
    torch.manual_seed(0)
    learner = MaskedWordModel(EncoderConfig(codec().size, max_length=24, dropout=0.0, **SIZES))
    config = MaskedWordConfig(**{"length": 16, "batch_tokens": 128, **changes})
    return MaskedWordTask(learner, codec(), TEXTS[10:], TEXTS[:10], config, {})


def test_an_epoch_has_every_text_once_in_batches_of_neighbours() -> None:
    task = classify()
    batches = task.batches(3)
    assert sorted(number for batch in batches for number in batch) == list(range(len(TEXTS)))
    for batch in batches:
        lengths = [len(task.ids[number]) for number in batch]
        assert len(batch) * max(lengths) <= 600
        assert max(lengths) <= 24
    spread = [max(map(len, rows)) - min(map(len, rows)) for rows in _rows(task, batches)]
    assert sum(spread) / len(spread) < 6
    assert batches == task.batches(3)
    assert batches != task.batches(4)


def two_sources(*shares: float) -> ClassifyTask:
    whole = corpus()
    counts = (len(whole.train) // 4, len(whole.validation) // 4)
    rest = (len(whole.train) - counts[0] - 10, len(whole.validation) - counts[1])
    sources = (Source("first", shares[0], *counts, ""), Source("second", shares[1], *rest, ""))
    config = ClassifyConfig(batch_tokens=600)
    return ClassifyTask(model(), codec(), replace(whole, sources=sources), config, {})


def test_an_epoch_has_each_source_by_its_share_and_once_what_is_of_none() -> None:
    task = two_sources(2.5, 0.5)
    first, second = (source.train for source in task.sources)

    def counts(epoch: int) -> list[int]:
        drawn = [number for batch in task.batches(epoch) for number in batch]
        return [drawn.count(number) for number in range(len(task.ids))]

    found = counts(0)
    assert set(found[:first]) == {2, 3}
    assert sum(found[:first]) == round(2.5 * first)
    assert sum(found[first : first + second]) == round(0.5 * second)
    assert max(found[first : first + second]) == 1
    assert found[first + second :] == [1] * 10
    assert counts(0) == found != counts(1)


def test_each_source_is_validated_and_the_mean_decides() -> None:
    task = two_sources(1, 1)
    task.model.eval()
    with torch.no_grad():
        found = task.validate()
        right = task.classifier.logits(task.validation).argmax(1) == task.validation_labels
    count = task.sources[0].validation
    first, second = right[:count].float().mean().item(), right[count:].float().mean().item()
    assert found["accuracy_first"] == pytest.approx(first)
    assert found["accuracy_second"] == pytest.approx(second)
    assert found[task.metric] == pytest.approx((first + second) / 2)
    assert first != second


def _rows(task: ClassifyTask, batches: list[list[int]]) -> list[list[list[int]]]:
    return [[task.ids[number] for number in batch] for batch in batches]


def test_word_dropout_masks_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    task = classify(word_dropout=0.4)
    seen: list[torch.Tensor] = []
    embed = task.model.encoder.embed
    monkeypatch.setattr(
        task.model.encoder, "embed", lambda tokens: seen.append(tokens) or embed(tokens)
    )
    for batch in task.batches(0):
        task.loss(batch, 0.0)
    tokens = torch.cat([each.flatten() for each in seen])
    masked_share = (tokens == MASK).sum() / (tokens != 0).sum()
    assert masked_share.item() == pytest.approx(0.4, abs=0.05)


def test_the_adversarial_step_finds_a_higher_loss() -> None:
    batch = classify().batches(0)[0]
    plain, count = classify().loss(batch, 0.0)
    moved, _ = classify(adversarial=1.0).loss(batch, 0.0)
    assert count == len(batch)
    assert moved.item() > plain.item() + 1e-3


def test_an_uncertain_label_leaves_the_rest_to_the_other_classes() -> None:
    reviews = [Review("x", "b", "", ""), Review("y", "c", "", "", 0.7)]
    shares = target_shares(reviews, "abc")
    assert torch.allclose(shares, torch.tensor([[0.0, 1.0, 0.0], [0.15, 0.15, 0.7]]))


def test_probabilities_are_learned_as_they_are() -> None:
    task = classify()
    unsure = replace(corpus(), train=tuple(replace(r, probability=0.5) for r in corpus().train))
    other = ClassifyTask(model(), codec(), unsure, ClassifyConfig(batch_tokens=600), {})
    batch = task.batches(0)[0]
    logits = torch.randn(len(batch), 2)
    task.model.classify = other.model.classify = lambda *_: logits  # type: ignore[method-assign]
    labels = label_numbers(corpus().train, corpus().labels)[batch]
    assert task.loss(batch, 0.0)[0].item() == pytest.approx(F.cross_entropy(logits, labels).item())
    log_shares = logits.log_softmax(1)
    assert other.loss(batch, 0.0)[0].item() == pytest.approx(-log_shares.mean().item(), rel=1e-5)


def test_it_learns_and_validates_as_it_answers() -> None:
    best = load_checkpoint(trained_run() / "best", "sentiment")
    answers = trained()
    ids = codec().encode_many([review.text for review in corpus().validation])
    right = sum(
        answers.labels[number] == review.label
        for number, review in zip(answers.logits(ids).argmax(1), corpus().validation, strict=True)
    )
    assert best.about["metrics"]["accuracy"] == pytest.approx(right / len(ids))
    assert right / len(ids) > 0.9
    assert best.about["temperature"] == answers.temperature != 1.0


def test_masked_words_are_learned_in_context(tmp_path: Path) -> None:
    task = masked()
    first = task.validate()
    list(fit(task, replace(FIT, epochs=6), tmp_path / "masked"))
    after = task.validate()
    assert after["loss"] < first["loss"] - 1
    assert after == task.validate()  # the same places each time
    assert "<mask>" in task.sample()
    best = load_checkpoint(tmp_path / "masked" / "best", task.kind).weights
    classifier, _, _ = from_checkpoint(tmp_path / "masked", 2, {}, 0)
    assert torch.equal(classifier.encoder.norm.weight, best["encoder.norm.weight"])


def test_stretches_cover_the_texts_and_shift_each_epoch() -> None:
    task = masked()
    starts = torch.cat(list(task.batches(0))).sort().values
    assert (starts.diff() == 16).all()
    assert starts[0] < 16
    assert len(task.tokens) - starts[-1] < 32
    assert not torch.equal(starts, torch.cat(list(task.batches(1))).sort().values)
    assert int((task.tokens == EOS).sum()) == len(TEXTS) - 10


def test_of_the_places_most_are_masked_and_some_are_not() -> None:
    task = masked(masked_share=0.5, batch_tokens=2048)
    starts = torch.arange(0, 1600, 16)
    generator = torch.Generator().manual_seed(0)
    tokens, places, targets = task._masked(task.tokens, starts, generator)
    assert len(places) / tokens.numel() == pytest.approx(0.5, abs=0.05)
    at_places = tokens.flatten()[places]
    assert (at_places == MASK).float().mean().item() == pytest.approx(0.8, abs=0.05)
    assert (at_places == targets).float().mean().item() == pytest.approx(0.1, abs=0.05)
    elsewhere = torch.ones(tokens.numel(), dtype=torch.bool).scatter(0, places, False)
    original = task.tokens[starts[:, None] + torch.arange(16)].flatten()
    assert torch.equal(tokens.flatten()[elsewhere], original[elsewhere].long())


@pytest.mark.parametrize("task", [classify, masked])
def test_stopped_and_resumed_it_ends_with_the_same_weights(task, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    options = {"word_dropout": 0.1, "adversarial": 0.5} if task is classify else {}
    list(fit(task(**options), FIT, tmp_path / "whole"))
    left = iter([False] * 4 + [True] * 100)
    list(fit(task(**options), FIT, tmp_path / "parts", should_stop=lambda: next(left)))
    list(fit(task(**options), FIT, tmp_path / "parts", resume=True))
    kind = task(**options).kind
    whole, parts = (
        load_checkpoint(tmp_path / n / "last", kind).weights for n in ("whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_what_cannot_be_trained_is_said() -> None:
    with pytest.raises(DataError, match="masked words need more text"):
        MaskedWordTask(masked().model, codec(), TEXTS[:1], TEXTS[:1], MaskedWordConfig(16, 128), {})
    with pytest.raises(UsageError, match="stretch 32"):
        masked(length=32)
    with pytest.raises(UsageError, match="masked 1"):
        MaskedWordConfig(masked_share=1.0)
    with pytest.raises(UsageError, match="stretch 4"):
        MaskedWordConfig(length=4)
    with pytest.raises(UsageError, match="word_dropout 1"):
        ClassifyConfig(word_dropout=1.0)
