"""Answers: order, long texts, empty ones, calibration, checkpoints that are missing or damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sentiment_samples import codec, corpus, trained, trained_run

from dlcc.core.errors import DataError, UsageError
from dlcc.core.sentiment.classifier import Classifier
from dlcc.core.sentiment.source import SentimentSource
from dlcc.core.train.folders import best_of

CPU = torch.device("cpu")


def test_answers_keep_the_order_and_agree_with_one_at_a_time() -> None:
    answers = trained()
    texts = [review.text for review in corpus().validation][:12]
    together = answers.answer(texts)
    assert [answer.text for answer in together] == texts
    for text, answer in zip(texts, together, strict=True):
        alone = answers.answer([text])[0]
        assert alone.label == answer.label
        assert alone.probabilities == pytest.approx(answer.probabilities, abs=0.02)  # bfloat16
        assert sum(answer.probabilities) == pytest.approx(1)
        assert answer.probability == max(answer.probabilities)


def test_a_long_text_is_read_whole_or_by_its_ends() -> None:
    good, bad = ("very lovely " * 12).strip(), ("so awful " * 40).strip()
    ids = codec().encode_many([f"{good} {bad}"])[0]
    whole = trained()
    windows = [ids[start : start + 24] for start in (0, 20, 40, 60, 80)]
    assert [[ids[place] for place in places] for places in whole.stretches(len(ids))] == windows
    each = np.concatenate([whole.logits([window]) for window in windows])
    np.testing.assert_allclose(whole.logits([ids])[0], each.mean(0), atol=0.05, rtol=0.02)
    by_ends = trained(long_texts="ends")
    length = len(ids)
    assert by_ends.stretches(length) == [[*range(6), *range(length - 18, length)]]
    assert whole.answer([f"{good} {bad}"])[0].num_stretches == 5
    assert by_ends.answer([f"{good} {bad}"])[0].num_stretches == 1


@pytest.mark.parametrize("architecture", ["transformer", "gru"])
def test_a_text_without_a_word_gets_no_label(architecture: str) -> None:
    first, empty = trained(architecture).answer(["lovely music", "<br /> "])
    assert first.label == "good"
    assert empty.label is None
    assert empty.probability is None
    assert empty.probabilities == ()


def test_no_texts_at_all() -> None:
    assert trained().answer([]) == []


def test_the_temperature_evens_probabilities_out() -> None:
    answers, logits = trained(), torch.tensor([[2.0, -1.0]])
    answers.temperature = 1.0
    torch.testing.assert_close(answers.probabilities(logits), logits.softmax(1))
    answers.temperature = 3.0
    torch.testing.assert_close(answers.probabilities(logits), (logits / 3).softmax(1))


def test_progress_reaches_the_end() -> None:
    told: list[tuple[int, int]] = []
    trained().answer(["lovely"] * 30 + ["dull " * 60], lambda *at: told.append(at))
    assert told[-1] == (31, 31)
    assert told == sorted(told)


def test_a_run_stands_for_its_best_checkpoint() -> None:
    assert best_of(trained_run()) == trained_run() / "best"
    assert best_of(trained_run() / "last") == trained_run() / "last"
    weights = Classifier.load(trained_run() / "last", CPU).model.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


@pytest.mark.parametrize("labels", [[1, 2], ["bad", "bad"], "ab", ["bad", None]])
def test_classes_that_are_no_different_texts_are_damage(tmp_path: Path, labels: object) -> None:
    shutil.copytree(trained_run() / "best", tmp_path / "model")
    path = tmp_path / "model/config.json"
    header = json.loads(path.read_text())
    header["config"]["labels"] = labels
    path.write_text(json.dumps(header))
    with pytest.raises(DataError, match="it names"):
        Classifier.load(tmp_path / "model", CPU)


def test_what_cannot_be_loaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no checkpoint in"):
        Classifier.load(tmp_path, CPU)
    with pytest.raises(UsageError, match="long middle"):
        trained(long_texts="middle")
    monkeypatch.setattr("dlcc.core.files.paths.resources.files", lambda package: tmp_path)
    with pytest.raises(DataError, match="train one with dlcc sentiment train"):
        _ = SentimentSource().folder
    (tmp_path / "sentiment").mkdir()
    (tmp_path / "sentiment/config.json").write_text("{}")
    assert SentimentSource().folder == tmp_path / "sentiment"
