"""Probabilities that mean what they say: temperature scaling and calibration error.

Shapes: N texts, C classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """What logits are divided by for the lowest log loss (Guo et al. 2017, section 4.2).

    The labels count as if one further text of each class were among the N (Platt 1999, eq. 6):
    otherwise a model without a mistake on few texts would be given no doubt at all.

    Args:
        logits: [N, C], on texts that were not trained on.
        labels: [N] int64.
    """
    count, classes = logits.shape
    smoothing = classes / (count + classes)

    def loss(exponent: float) -> float:
        scaled = logits.double() / 2**exponent
        return F.cross_entropy(scaled, labels, label_smoothing=smoothing).item()

    low, high = -6.0, 6.0  # exponents; the loss has one minimum between them
    for _ in range(40):
        third = (high - low) / 3
        left, right = low + third, high - third
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return 2 ** ((low + high) / 2)


def log_loss(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> float:
    """Mean negative log probability of the true class, in nats."""
    return F.cross_entropy(logits.double() / temperature, labels).item()


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over bins of equal width, weighted by their texts
    (ibid., eq. 3).

    Args:
        probabilities: [N, C].
        labels: [N] int64.
        bins: how many.
    """
    confidence, predicted = probabilities.double().max(1)
    correct = (predicted == labels).double()
    places = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.double).index_add_(0, places, confidence - correct)
    return gaps.abs().sum().item() / len(labels)


def calibrated_scores(logits: Tensor, labels: Tensor, temperature: float) -> dict[str, float]:
    """Accuracy, and log loss and calibration error of the calibrated probabilities.

    Args:
        logits: [N, C].
        labels: [N] int64.
        temperature: from `fit_temperature`.
    """
    return {
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
        "log_loss": log_loss(logits, labels, temperature),
        "calibration_error": calibration_error((logits / temperature).softmax(1), labels),
    }
