"""How good a picture classifier is: scores, by class, confusion, its worst mistakes.

Shapes: N pictures, C classes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dlcc.core.errors import DataError
from dlcc.core.train.calibration import calibrated_scores
from dlcc.core.vit.classifier import PictureClassifier
from dlcc.core.vit.data import ImageSet

_TOP = 5


@dataclass(frozen=True)
class ClassScore:
    """One class."""

    name: str
    pictures: int
    accuracy: float
    """Share of its pictures that were found (recall)."""
    precision: float
    """Share of the pictures given this class that are of it; 0 where none were."""


@dataclass(frozen=True)
class Mistake:
    """A picture that was given a wrong class."""

    place: int
    """In the part that was scored."""
    name: str
    truth: str
    given: str
    probability: float
    """Of the class that was given."""


@dataclass(frozen=True)
class PictureScores:
    """All of it."""

    pictures: int
    accuracy: float
    top5: float
    """Share of pictures whose class is among the five most probable."""
    log_loss: float
    """Of the calibrated probabilities, in nats."""
    calibration_error: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """[C, C] pictures: true classes are rows, given ones columns."""
    worst: tuple[Mistake, ...]
    """Most certain mistakes first."""
    pictures_per_second: float


def score(
    answers: PictureClassifier,
    data: ImageSet,
    worst: int = 6,
    tta: bool = False,
    on_done: Callable[[int], None] = lambda done: None,
) -> PictureScores:
    """Classify labelled pictures and compare.

    Args:
        answers: the classifier.
        data: N pictures; labels are places in the classifier's classes.
        worst: how many mistakes to keep.
        tta: average over ten views of each picture.
        on_done: told how many pictures are done.

    Raises:
        DataError: no pictures.
    """
    if not len(data):
        raise DataError("no pictures to score: the data have no such part")
    begun = time.perf_counter()
    logits = answers.logits(data.pixels, tta, on_done)
    seconds = time.perf_counter() - begun
    classes, given = len(answers.classes), logits.argmax(1)
    confusion = (data.labels * classes + given).bincount(minlength=classes**2)
    confusion = confusion.view(classes, classes)
    nearest = logits.topk(min(_TOP, classes), 1).indices
    return PictureScores(
        len(data),
        **calibrated_scores(logits, data.labels, answers.temperature),
        top5=(nearest == data.labels[:, None]).any(1).double().mean().item(),
        classes=_by_class(answers.classes, confusion),
        confusion=tuple(map(tuple, confusion.tolist())),
        worst=_worst(answers, data, logits, worst),
        pictures_per_second=len(data) / seconds,
    )


def _by_class(names: tuple[str, ...], confusion: torch.Tensor) -> tuple[ClassScore, ...]:
    right = confusion.diagonal().double()
    found = (right / confusion.sum(1).clamp(min=1)).tolist()
    precise = (right / confusion.sum(0).clamp(min=1)).tolist()
    counts = confusion.sum(1).tolist()
    return tuple(map(ClassScore, names, counts, found, precise))


def _worst(
    answers: PictureClassifier, data: ImageSet, logits: torch.Tensor, count: int
) -> tuple[Mistake, ...]:
    probability, given = answers.probabilities(logits).max(1)
    wrong = (given != data.labels).nonzero().flatten()
    order = probability[wrong].argsort(descending=True, stable=True)
    return tuple(
        Mistake(
            place,
            data.names[place],
            answers.classes[int(data.labels[place])],
            answers.classes[int(given[place])],
            probability[place].item(),
        )
        for place in wrong[order][:count].tolist()
    )
