"""How good a classifier is on labelled texts: scores, by length, its worst mistakes, its speed.

Shapes: N texts, C classes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dlcc.core.errors import DataError
from dlcc.core.sentiment.classifier import Classifier, Progress
from dlcc.core.sentiment.codec import ends
from dlcc.core.sentiment.data import Review
from dlcc.core.sentiment.task import label_numbers, scores

LENGTHS = (64, 128, 256, 512)
"""Bounds of the lengths, in tokens, by which accuracy is told apart."""


@dataclass(frozen=True)
class Mistake:
    """A text whose true class got little probability."""

    name: str
    text: str
    truth: str
    label: str
    probability: float
    """Of the label that was given."""


@dataclass(frozen=True)
class LengthScore:
    """Accuracy on texts of similar length."""

    lengths: str
    """In tokens, such as 65 to 128."""
    texts: int
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """All of it."""

    texts: int
    accuracy: float
    log_loss: float
    """Of the calibrated probabilities, in nats."""
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    """[C, C] texts: true classes are rows, given ones columns."""
    by_length: tuple[LengthScore, ...]
    worst: tuple[Mistake, ...]
    """Most certain mistakes first."""
    texts_per_second: float
    """Cutting up and classifying."""


def evaluate(
    answers: Classifier, reviews: Sequence[Review], worst: int = 5, progress: Progress | None = None
) -> Evaluation:
    """Classify labelled texts and compare.

    Args:
        answers: the classifier.
        reviews: N labelled texts.
        worst: how many mistakes to keep.
        progress: told how many texts are done.

    Raises:
        DataError: no texts, or a class that the classifier does not know.
    """
    strange = sorted({review.label for review in reviews} - set(answers.labels))
    if strange or not reviews:
        problem = f"the class {strange[0]} is unknown to the model" if strange else "no texts"
        raise DataError(f"{problem}: it tells {', '.join(answers.labels)} apart")
    begun = time.perf_counter()
    ids = answers.codec.encode_many([review.text for review in reviews])
    logits = answers.logits(ids, progress)
    seconds = time.perf_counter() - begun
    truth, given = label_numbers(reviews, answers.labels), logits.argmax(1)
    classes = len(answers.labels)
    confusion = (truth * classes + given).bincount(minlength=classes**2).view(classes, classes)
    return Evaluation(
        len(reviews),
        **scores(answers, logits, truth),
        confusion=tuple(map(tuple, confusion.tolist())),
        by_length=_by_length([len(row) for row in ids], truth == given),
        worst=_worst(answers, reviews, logits, truth, worst),
        texts_per_second=len(reviews) / seconds,
    )


def accuracy_at(
    answers: Classifier, reviews: Sequence[Review], length: int, progress: Progress | None = None
) -> float:
    """Accuracy when each text is cut to `length` tokens by its ends."""
    ids = answers.codec.encode_many([review.text for review in reviews])
    logits = answers.logits([ends(row, length) for row in ids], progress)
    truth = label_numbers(reviews, answers.labels)
    return (logits.argmax(1) == truth).double().mean().item()


def _by_length(lengths: Sequence[int], right: Tensor) -> tuple[LengthScore, ...]:
    place = torch.bucketize(torch.tensor(lengths), torch.tensor(LENGTHS))
    names = [f"up to {LENGTHS[0]}"]
    names += [f"{low + 1} to {high}" for low, high in pairwise(LENGTHS)]
    names.append(f"from {LENGTHS[-1] + 1}")
    found = []
    for number, name in enumerate(names):
        among = right[place == number]
        if len(among):
            found.append(LengthScore(name, len(among), among.double().mean().item()))
    return tuple(found)


def _worst(
    answers: Classifier, reviews: Sequence[Review], logits: Tensor, truth: Tensor, count: int
) -> tuple[Mistake, ...]:
    probabilities = answers.probabilities(logits)
    certainty, given = probabilities.max(1)
    wrong = (given != truth).nonzero().squeeze(1)
    order = wrong[certainty[wrong].argsort(descending=True, stable=True)][:count].tolist()
    return tuple(
        Mistake(
            reviews[number].name,
            reviews[number].text,
            reviews[number].label,
            answers.labels[int(given[number])],
            certainty[number].item(),
        )
        for number in order
    )
