"""Temperature and calibration error against values worked out by hand."""

import math

import pytest
import torch

from dlcc.core.train.classify import (
    calibrated_scores,
    calibration_error,
    fit_temperature,
    score,
    validated_scores,
)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 3, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_lowers_the_log_loss() -> None:
    logits, labels = torch.tensor([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0, 1])
    best = fit_temperature(logits, labels)
    assert best == pytest.approx(9 / math.log(1.5), rel=1e-3)  # (2 + 1) of (3 + 2): odds of 1.5
    usual, fitted = (calibrated_scores(logits, labels, each) for each in (1.0, best))
    assert fitted["log_loss"] < usual["log_loss"]


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    labels = torch.tensor([0, 1, 1, 1])
    # 0.9 twice, right once: gap 0.4, weight 2; 0.6 right: gap 0.4; 1.0 right: gap 0.
    assert calibration_error(probabilities, labels, bins=10) == pytest.approx(0.3)
    assert calibration_error(torch.tensor([[0.0, 1.0]]), torch.tensor([1])) == 0


def test_validation_is_scored_at_temperatures_that_were_not_fitted_to_it() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(60, 3, generator=generator), torch.arange(60) % 3
    found = validated_scores(logits, labels)
    fitted = calibrated_scores(logits, labels, fit_temperature(logits, labels))
    assert found["accuracy"] == fitted["accuracy"]
    losses = []
    for half, other in ((0, 1), (1, 0)):
        temperature = fit_temperature(logits[other::2], labels[other::2])
        scored = calibrated_scores(logits[half::2], labels[half::2], temperature)
        losses.append(scored["log_loss"])
    assert found["log_loss"] == pytest.approx(sum(losses) / 2)
    assert found["log_loss"] > fitted["log_loss"]
    assert validated_scores(logits[:1], labels[:1])["accuracy"] in (0, 1)


def test_what_the_temperature_was_fitted_to_is_not_scored_with_it() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(60, 3, generator=generator), torch.arange(60) % 3
    fitted = fit_temperature(logits, labels)
    about = {"names": [""] * 60, "worst": 0, "seconds": 1.0}
    own = score(logits, labels, "abc", fitted, fitted=True, **about)
    other = score(logits, labels, "abc", fitted, **about)
    assert own.accuracy == other.accuracy
    assert own.log_loss == pytest.approx(validated_scores(logits, labels)["log_loss"])
    assert own.log_loss > other.log_loss


def test_what_is_no_probability_is_no_calibration() -> None:
    logits, labels = torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    found = calibrated_scores(logits, labels, fit_temperature(logits, labels))
    assert math.isnan(found["calibration_error"])
    assert math.isnan(found["log_loss"])


def test_without_a_mistake_some_doubt_remains() -> None:
    logits, labels = torch.tensor([[0.0, 1.0]] * 8), torch.tensor([1] * 8)
    certain = (logits / fit_temperature(logits, labels)).softmax(1)[0, 1].item()
    assert certain == pytest.approx(9 / 10, abs=1e-3)
