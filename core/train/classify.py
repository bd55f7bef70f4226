"""Trained classifiers of any family: probabilities that mean what they say, and how good they are.

Shapes: N examples, C classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcc.core.train.calibrated import Calibrated, calibrated

_TOP = 5


@dataclass(frozen=True)
class ClassScore:
    """One class."""

    name: str
    count: int
    """Its examples."""
    accuracy: float
    """Share of them that were found (recall)."""
    precision: float
    """Share of the examples given this class that are of it; 0 where none were."""


@dataclass(frozen=True)
class Mistake:
    """An example that was given a wrong class."""

    place: int
    """Among those that were scored."""
    name: str
    truth: str
    given: str
    probability: float
    """Of the class that was given."""


@dataclass(frozen=True)
class Scores:
    """How good a classifier is on N labelled examples."""

    count: int
    accuracy: float
    top5: float
    """Share of examples whose class is among the five most probable."""
    log_loss: float
    """Of the calibrated probabilities, in nats."""
    calibration_error: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """[C, C] examples: true classes are rows, given ones columns."""
    worst: tuple[Mistake, ...]
    """Most certain mistakes first."""
    per_second: float
    """Examples."""


def score(
    logits: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    temperature: float,
    *,
    fitted: bool = False,
    names: Sequence[str],
    worst: int,
    seconds: float,
) -> Scores:
    """Compare what a classifier says with what is true.

    Args:
        logits: [N, C], before the temperature; N is at least 1.
        labels: [N] int64, the true classes.
        temperature: what the classifier divides logits by.
        fitted: whether the temperature was fitted to these examples: log loss and calibration
            error are then as of `validated_scores`.
        names: of the N examples.
        worst: how many mistakes to keep.
    """
    pairs = labels * len(classes) + logits.argmax(1)
    confusion = pairs.bincount(minlength=len(classes) ** 2).view(len(classes), -1)
    nearest = logits.topk(min(_TOP, len(classes)), 1).indices
    calibration = (
        validated_scores(logits, labels)
        if fitted
        else calibrated_scores(logits, labels, temperature)
    )
    return Scores(
        len(labels),
        **calibration,
        top5=(nearest == labels[:, None]).any(1).double().mean().item(),
        classes=_by_class(classes, confusion),
        confusion=tuple(map(tuple, confusion.tolist())),
        worst=_worst(calibrated(logits, temperature), labels, classes, names, worst),
        per_second=len(labels) / seconds,
    )


def calibrate(classifier: Calibrated, logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Fit a classifier's temperature to logits [N, C] and labels [N] that were not trained on; and
    how good it is on each half of them, at a temperature fitted to the other."""
    classifier.temperature = fit_temperature(logits, labels)
    return validated_scores(logits, labels)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """What logits are divided by for the lowest log loss (Guo et al. 2017, section 4.2).

    The labels count as if one further example of each class were among the N (Platt 1999, eq. 6):
    otherwise a model without a mistake on few of them would be given no doubt at all.

    Args:
        logits: [N, C], on examples that were not trained on.
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


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over bins of equal width, weighted by what is in
    them (ibid., eq. 3); NaN where a probability is.

    Args:
        probabilities: [N, C].
        labels: [N] int64.
    """
    if not probabilities.isfinite().all():
        return math.nan
    confidence, predicted = probabilities.double().max(1)
    correct = (predicted == labels).double()
    places = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.double).index_add_(0, places, confidence - correct)
    return gaps.abs().sum().item() / len(labels)


def calibrated_scores(logits: Tensor, labels: Tensor, temperature: float) -> dict[str, float]:
    """Accuracy, and log loss and calibration error of the calibrated probabilities, of logits
    [N, C] against labels [N]."""
    return {
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
        "log_loss": F.cross_entropy(logits.double() / temperature, labels).item(),
        "calibration_error": calibration_error(calibrated(logits, temperature), labels),
    }


def validated_scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """As `calibrated_scores`, with each half of the examples at the temperature of the other: none
    is scored at one that was fitted to it.

    Args:
        logits: [N, C].
        labels: [N] int64.
    """
    if len(labels) < 2:
        return calibrated_scores(logits, labels, fit_temperature(logits, labels))
    temperatures = torch.empty(len(labels), 1)
    for half in (0, 1):
        others = logits[1 - half :: 2], labels[1 - half :: 2]
        temperatures[half::2] = fit_temperature(*others)
    return calibrated_scores(logits / temperatures, labels, 1.0)


def _by_class(names: Sequence[str], confusion: Tensor) -> tuple[ClassScore, ...]:
    right, counts = confusion.diagonal().double(), confusion.sum(1)
    recalls = (right / counts.clamp(min=1)).tolist()
    precisions = (right / confusion.sum(0).clamp(min=1)).tolist()
    return tuple(map(ClassScore, names, counts.tolist(), recalls, precisions))


def _worst(
    probabilities: Tensor, labels: Tensor, classes: Sequence[str], names: Sequence[str], count: int
) -> tuple[Mistake, ...]:
    certainty, given = probabilities.max(1)
    wrong = (given != labels).nonzero().flatten()
    order = certainty[wrong].argsort(descending=True, stable=True)
    return tuple(
        Mistake(
            place,
            names[place],
            classes[int(labels[place])],
            classes[int(given[place])],
            certainty[place].item(),
        )
        for place in wrong[order][:count].tolist()
    )
